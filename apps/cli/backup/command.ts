// `gossamer backup | restore`.
import { resolve } from "node:path";
import { type Command, Option } from "commander";
import { english as format } from "../../web/words/format.ts";
import { addressFrom } from "../ask/command.ts";
import { placeOfAddress, Remote } from "../remote.ts";
import { backup } from "./backup.ts";
import { restore } from "./restore.ts";
import { dataSource, remoteSource } from "./sources.ts";

interface BackupAsked {
  readonly data: string;
  readonly url?: string;
  readonly to: string;
  readonly run?: string;
  readonly json: boolean;
}

/** @param dataOption the data directory, as `host` has it */
export function addBackupCommands(program: Command, from: string, dataOption: () => Option): void {
  const folder = (text: string): string => resolve(from, text);

  program
    .command("backup")
    .description("copy a host's runs into a folder, checked; the host may go on meanwhile")
    .addOption(dataOption())
    .addOption(
      new Option("--url <address>", "a host anywhere instead: what it gives to anybody, so without its key").argParser(
        addressFrom,
      ),
    )
    .requiredOption("--to <folder>", "a new folder, or an older backup: then only what is new is copied", folder)
    .option("--run <id>", "one run (default: all)")
    .option("--json", "print the manifest", false)
    .addHelpText(
      "after",
      `
The folder has each run's spec and log, every update and checkpoint that the log names and the host still has, the shards of the text, and
from a data directory the host's key (readable by you alone) with all other files: whoever has the folder can be the host.
manifest.json is written last: a folder without it is half a backup. gossamer replay --data FOLDER proves that it is good.`,
    )
    .action(async (asked: BackupAsked) => {
      const place = asked.url === undefined ? undefined : placeOfAddress(asked.url);
      const run = asked.run ?? place?.run;
      const source =
        place === undefined ? await dataSource(asked.data, run) : remoteSource(new Remote(place.base), run);
      const { manifest, copied } = await backup(source, asked.to);
      if (asked.json) return console.log(JSON.stringify(manifest));
      for (const { id, name, entries, round, anchorHash } of manifest.runs)
        console.log(`run     ${name} (${id}), ${entries} entries, ${round} rounds, anchor ${anchorHash ?? "—"}`);
      const bytes = manifest.blobs.reduce((sum, blob) => sum + blob.bytes, 0);
      console.log(
        `blobs   ${manifest.blobs.length} of ${format.bytes(bytes)}; ${copied.blobs} of ${format.bytes(copied.bytes)} were new`,
      );
      console.log(
        manifest.key
          ? "key     the host's own: keep the folder where nobody else reads it"
          : "key     none: replay reads this backup, but no host can go on with it",
      );
      console.log(`DONE    ${asked.to}, all of it read again and found good`);
    });

  program
    .command("restore")
    .description("put a backup into an empty data directory, for a host to go on with")
    .requiredOption("--from <folder>", "as `gossamer backup` wrote it", folder)
    .addOption(dataOption())
    .addHelpText(
      "after",
      `
Everything is checked first: hashes, chains, signatures, the key. Stop the host that ran before, for good: two hosts with one key would sign
two histories. Peers that saw more rounds than the backup has give them back, as long as they are there.`,
    )
    .action(async (asked: { from: string; data: string }) => {
      const { runs, madeAt, blobs } = await restore(asked.from, asked.data);
      for (const { name, id, round, anchorHash } of runs)
        console.log(`run     ${name} (${id}), ${round} rounds, anchor ${anchorHash ?? "—"}`);
      console.log(`DONE    ${asked.data}: ${blobs.length} blobs, as of ${madeAt}`);
    });
}
