// Models in the files of other tools: safetensors in Hugging Face's Llama layout in and out. Bytes in, bytes out; #formats/disk reads folders.
export * from "./floats.ts";
export * from "./llama.ts";
export * from "./llama-config.ts";
export * from "./safetensors.ts";
export * from "./source.ts";
