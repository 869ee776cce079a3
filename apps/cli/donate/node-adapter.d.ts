// comlink's adapter for Node's threads: its types lie beside it under another name.
declare module "comlink/dist/esm/node-adapter.mjs" {
  export { default } from "comlink/dist/esm/node-adapter";
}
