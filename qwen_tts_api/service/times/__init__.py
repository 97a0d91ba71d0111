"""When what is heard: segments, words and characters of a text in its audio; subtitles."""
