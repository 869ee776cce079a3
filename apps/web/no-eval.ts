// First import of the page and of each worker: zod compiles its parsers with `new Function` where it may. Our content security policy
// forbids that, and even the attempt to find out is reported as a violation.
import { config } from "zod/mini";

config({ jitless: true });
