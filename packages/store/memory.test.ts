import { blobStoreContract, fullStoreContract, settingsContract } from "./contract.ts";
import { contractHost, contractRun, hostBlobsContract, logContract } from "./host-contract.ts";
import { MemoryBlobStore, MemorySettings } from "./memory.ts";
import { MemoryHostBlobs, MemoryLog } from "./memory-host.ts";

blobStoreContract("memory", async () => new MemoryBlobStore());
fullStoreContract("memory", async () => new MemoryBlobStore(100));
settingsContract("memory", async () => new MemorySettings());

logContract(
  "memory",
  async () => {
    const log = new MemoryLog();
    return { open: (hostKey = contractHost.volunteer) => log.open(contractRun, hostKey) };
  },
  { shared: true },
);
blobStoreContract("memory of a host", async () => new MemoryHostBlobs());
hostBlobsContract("memory of a host", async () => new MemoryHostBlobs());
