// A SHA-256 as the spec, the log and the messages write it.
import * as z from "zod/mini";

export const hashSchema = z.string().check(z.regex(/^[0-9a-f]{64}$/, "a SHA-256 as 64 lower-case hex digits"));
