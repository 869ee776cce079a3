// A set-up file of vitest: the kernels' tests in Node, through the Dawn that DAWN_FOR_NODE names.
import { openDawn } from "./dawn.ts";

await openDawn(process.env.DAWN_FOR_NODE!);
