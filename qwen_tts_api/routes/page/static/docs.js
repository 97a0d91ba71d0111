// Show the server's OpenAPI document. Swagger UI is a plain script, which comes before this module.
globalThis.SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#document",
  deepLinking: true,
  tryItOutEnabled: true,
  defaultModelsExpandDepth: 0,
  validatorUrl: null, // would send the document to a service on the internet
});
