// A certificate for `--share`: browsers give WebGPU to secure contexts only, and a LAN address is one over HTTPS alone.
// Self-signed, kept in the data directory, so that a browser which has accepted it once asks no more.
import { X509Certificate } from "node:crypto";
import { mkdir, readFile } from "node:fs/promises";
import { isIP } from "node:net";
import { hostname, networkInterfaces } from "node:os";
import { join } from "node:path";
import { createSecureContext } from "node:tls";
import { generate } from "selfsigned";
import { readFileIfThere, writeFileWhole } from "#store/disk";
import { StartError } from "./server.ts";

export interface Certificate {
  readonly key: string; // PEM
  readonly cert: string; // PEM
}

const DAY_MS = 24 * 3600 * 1000;
/** Browsers refuse certificates that are valid for more than 825 days, self-signed or not. */
const VALID_DAYS = 800;

/** The operator's own certificate, chain first. @throws StartError when a file cannot be read, or the two do not belong together */
export async function loadCertificate(certPath: string, keyPath: string): Promise<Certificate> {
  const read = (flag: string, path: string) =>
    readFile(path, "utf8").catch((error: Error) => {
      throw new StartError(
        `${flag} cannot be read: ${error.message}. Correct the path, or let this user read the file.`,
      );
    });
  const certificate = { cert: await read("--tls-cert", certPath), key: await read("--tls-key", keyPath) };
  try {
    createSecureContext(certificate);
  } catch (error) {
    throw new StartError(
      `${certPath} and ${keyPath} are no certificate and its key in PEM: ${(error as Error).message}. Of Let's Encrypt take fullchain.pem and privkey.pem.`,
    );
  }
  return certificate;
}

/** IPv4 addresses under which this machine is reached from its networks. */
export function lanAddresses(): string[] {
  return Object.values(networkInterfaces())
    .flatMap((list) => list ?? [])
    .filter(({ family, internal, address }) => family === "IPv4" && !internal && !address.startsWith("169.254."))
    .map(({ address }) => address);
}

const namesNow = (): string[] => ["localhost", hostname(), "127.0.0.1", ...lanAddresses()];

function stillGood(cert: string, names: readonly string[], nowMs: number): boolean {
  try {
    const parsed = new X509Certificate(cert);
    if (Date.parse(parsed.validTo) - nowMs < 30 * DAY_MS) return false;
    return names.every((name) => (isIP(name) ? parsed.checkIP(name) : parsed.checkHost(name)) !== undefined);
  } catch {
    return false;
  }
}

/** The stored certificate while it names all of this machine's addresses, else a new one. */
export async function certificateFor(data: string, names: readonly string[] = namesNow()): Promise<Certificate> {
  await mkdir(data, { recursive: true }); // signaling alone has none otherwise
  const keyPath = join(data, "tls-key.pem");
  const certPath = join(data, "tls-cert.pem");
  const [key, cert] = await Promise.all([readFileIfThere(keyPath), readFileIfThere(certPath)]);
  const now = new Date();
  if (key !== undefined && cert !== undefined && stillGood(cert.toString(), names, now.getTime()))
    return { key: key.toString(), cert: cert.toString() };
  const made = await generate([{ name: "commonName", value: "Gossamer host" }], {
    algorithm: "sha256",
    keyType: "ec",
    notBeforeDate: new Date(now.getTime() - DAY_MS), // clocks on a LAN differ
    notAfterDate: new Date(now.getTime() + VALID_DAYS * DAY_MS),
    extensions: [
      { name: "basicConstraints", cA: false, critical: true },
      { name: "keyUsage", digitalSignature: true, critical: true },
      { name: "extKeyUsage", serverAuth: true },
      {
        name: "subjectAltName",
        altNames: names.map((name) =>
          isIP(name) ? { type: 7 as const, ip: name } : { type: 2 as const, value: name },
        ),
      },
    ],
  });
  await writeFileWhole(keyPath, made.private, 0o600);
  await writeFileWhole(certPath, made.cert);
  return { key: made.private, cert: made.cert };
}
