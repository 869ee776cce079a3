import { blobStoreContract, fullStoreContract, settingsContract } from "./contract.ts";
import { MemoryBlobStore, MemorySettings } from "./memory.ts";

blobStoreContract("memory", async () => new MemoryBlobStore());
fullStoreContract("memory", async () => new MemoryBlobStore(100));
settingsContract("memory", async () => new MemorySettings());
