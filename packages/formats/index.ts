// Models in the files of other tools: safetensors in Hugging Face's Llama layout in and out, GGUF out. Bytes in, bytes out; #formats/disk reads folders.
export * from "./byte-tokenizer.ts";
export * from "./export.ts";
export * from "./floats.ts";
export * from "./llama.ts";
export * from "./llama-config.ts";
export * from "./llama-gguf.ts";
export * from "./llama-safetensors.ts";
export * from "./peft.ts";
export * from "./provenance.ts";
export * from "./safetensors.ts";
export * from "./source.ts";
export * from "./tar.ts";
export { type FloatSource, floatsOf, type OutType } from "./tensors-out.ts";
