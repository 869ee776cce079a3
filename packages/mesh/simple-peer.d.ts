// The prebuilt bundle: the plain import needs Node polyfills that Vite does not give ("global is not defined").
declare module "simple-peer/simplepeer.min.js" {
  import SimplePeer from "simple-peer";

  export default SimplePeer;
}
