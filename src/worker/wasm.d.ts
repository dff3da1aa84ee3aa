/** The path of an embedded file. */
declare module "*.wasm" {
  const path: string;
  export default path;
}
