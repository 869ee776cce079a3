// Lines for a host's operator: for a terminal as they are, or each as a JSON object (--log-format json).
type Level = "info" | "warn" | "error";
/** "info" unless it says otherwise. */
export type Report = (line: string, level?: Level) => void;

export const logFormats = ["text", "json"] as const;
export type LogFormat = (typeof logFormats)[number];

/** @param write takes one line without its end. @param now wall clock, ms since 1970 */
export const reportAs =
  (format: LogFormat, write: (line: string) => void, now: () => number = Date.now): Report =>
  (line, level = "info") =>
    write(format === "text" ? line : JSON.stringify({ time: new Date(now()).toISOString(), level, message: line }));
