// Entry of the fold worker.
import "../no-eval.ts";
import { expose } from "comlink";
import { foldApi } from "./fold-api.ts";

expose(foldApi);
