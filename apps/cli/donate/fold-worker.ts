// Entry of the fold thread.
import { parentPort } from "node:worker_threads";
import { expose } from "comlink";
import nodeEndpoint from "comlink/dist/esm/node-adapter.mjs";
import { foldApi } from "../../web/worker/fold-api.ts";

if (parentPort === null) throw new Error("this is a worker thread's script");
expose(foldApi, nodeEndpoint(parentPort));
