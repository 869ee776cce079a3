// `gossamer host`: its flags, which are the settings of a configuration file too.
import { resolve } from "node:path";
import { type Command, InvalidArgumentError, Option } from "commander";
import { ROSTER_MAX } from "#wire";
import { joinPolicies } from "../host/access/access.ts";
import { basePathFault, proxyFault } from "../host/arrival.ts";
import { builtPage } from "../host/host.ts";
import { logFormats } from "../host/report.ts";
import { turnUrlFault } from "../host/turn.ts";
import { applyConfigFile, configText } from "./config-file.ts";
import { type HostCommandOptions, hostCommand, RUN_DEFAULT } from "./host-command.ts";
import { hostFrom, listFrom, numberFrom, positiveNumber } from "./options.ts";

/** Half of a home's uplink of 40 Mbit/s, so that log, checkpoints and the page still get through. A rented server has more. */
const RELAY_MBIT = 20;

function originFrom(text: string, before: readonly string[] = []): string[] {
  if (!URL.canParse(text) || new URL(text).origin !== text)
    throw new InvalidArgumentError("An origin is scheme, name and port alone, for example https://example.org:8443");
  return [...before, text];
}

function trustedFrom(text: string, before: readonly string[] = []): string[] {
  const fault = proxyFault(text);
  if (fault !== undefined) throw new InvalidArgumentError(fault);
  return [...before, text];
}

function basePathFrom(text: string): string {
  const fault = basePathFault(text);
  if (fault !== undefined) throw new InvalidArgumentError(fault);
  return text.replace(/\/$/, "");
}

function turnUrlFrom(text: string, before: readonly string[] = []): string[] {
  const fault = turnUrlFault(text);
  if (fault !== undefined) throw new InvalidArgumentError(fault);
  return [...before, text];
}

/** @param from where file names start from */
export function addHostCommand(program: Command, from: string, dataOption: () => Option): void {
  program
    .command("host")
    .description("serve the page, order the log, keep updates and checkpoints")
    .addOption(
      new Option("--port <port>", "TCP port of page and signaling")
        .env("PORT")
        .default(7070)
        .argParser(numberFrom(0, 65_535)),
    )
    .addOption(new Option("--host <address>", "address to listen on").env("HOST").default("127.0.0.1"))
    .addOption(dataOption())
    .addOption(
      new Option("--config <file>", "settings as JSON: the flags' names and values, where no flag is given")
        .env("GOSSAMER_CONFIG")
        .argParser((text) => resolve(from, text)),
    )
    .option("--print-config", "print all settings as such a file, and stop")
    .option(
      "--run <name or file>",
      `preset (nano, micro) or a run spec as JSON; with +METHOD by that method: nano+sparseloco; repeat for several runs at once, the first is what the page shows (default: "${RUN_DEFAULT}")`,
      listFrom,
    )
    .option("--share", "listen on all addresses, with HTTPS on a generated certificate")
    .option(
      "--tls-cert <file>",
      "HTTPS with this certificate chain (PEM) and --tls-key; both are read again at SIGHUP",
      (text) => resolve(from, text),
    )
    .option("--tls-key <file>", "its private key (PEM)", (text) => resolve(from, text))
    .option("--donors <count>", "start so many headless browsers that donate", numberFrom(0, 64), 0)
    .option(
      "--relay-mbit <rate>",
      "Mbit/s that this host relays for peers that cannot connect, half of it for one; 0: none",
      numberFrom(0, 100_000),
      RELAY_MBIT,
    )
    .option(
      "--relay-cap-gb <GB>",
      "what this relay and TURN may carry in a calendar month; then pairs that cannot connect have none (default: no cap)",
      positiveNumber,
    )
    .option("--wait-for <peers>", "open the first round when so many are ready to train", numberFrom(1, ROSTER_MAX), 1)
    .option(
      "--cluster <url>",
      "one of several hosts that serve a run together over a NATS server with JetStream: nats://127.0.0.1:4222",
    )
    .option(
      "--cluster-address <url>",
      "under which the cluster's other hosts reach this one (default: loopback, or the first of this machine's networks)",
      hostFrom,
    )
    .addOption(
      new Option("--log-format <format>", "json: each line of the host's an object with time, level, message")
        .choices(logFormats)
        .default("text"),
    )
    .addOption(new Option("--only <part>", "start one part alone").choices(["signaling"]))
    .addOption(new Option("--page <dir>", "serve this build of the page").default(builtPage(), "dist/web").hideHelp())
    .option("--allow-origin <origin>", "page of another origin that may connect (repeat for several)", originFrom)
    .option(
      "--trust-proxy <address>",
      "proxy whose X-Forwarded headers say who comes: an address, a network (10.0.0.0/8), or loopback (repeat for several)",
      trustedFrom,
    )
    .addOption(
      new Option(
        "--join <policy>",
        "who may donate: open, by invitation (gossamer invites), or listed keys (gossamer allow)",
      )
        .choices(joinPolicies)
        .default("open"),
    )
    .option("--base-path <path>", "serve everything below this path, for example /swarm", basePathFrom)
    .option("--turn <url>", "TURN server for pairs that cannot connect directly (repeat for several)", turnUrlFrom)
    .option(
      "--turn-secret-file <file>",
      "coturn's static-auth-secret: each peer gets a login of its own, for a day",
      (text) => resolve(from, text),
    )
    .option(
      "--turn-dev",
      "a TURN server in this process, to develop with: peers on this machine and its networks alone",
    )
    .option("--turn-user <name>", "a login that the TURN server knows, the same for every peer")
    .option("--turn-password-file <file>", "its password", (text) => resolve(from, text))
    .addHelpText(
      "after",
      `
The run goes on where it was when host, spec and data directory are the same: the log in the data directory is the run.
Ctrl-C stops the host; nothing that was acknowledged is lost. A second Ctrl-C stops it at once.

A flag counts before its environment variable, that before --config, that before the default. A file name in the configuration begins with
./ or ../ and is meant from its folder. Runs are paused, ended and added while the host goes on: gossamer run --help, or the page /admin.

Examples:
  gossamer host --run nano                          a model small enough for machines without a GPU
  gossamer host --run nano --run ./mine.json        two runs; the second one's page is /?run=ID
  gossamer host --cluster nats://10.0.0.5:4222 --run nano --data ./a    one of several hosts behind a load balancer
  gossamer host --print-config > gossamer.json      all settings with their defaults, to change and start from:
  gossamer host --config gossamer.json`,
    )
    .action(async (_, command: Command) => {
      const { config } = command.opts<{ config?: string }>();
      if (config !== undefined) await applyConfigFile(command, config);
      if (command.opts().printConfig) return console.log(configText(command));
      const options = command.opts();
      return hostCommand({ ...options, from, page: resolve(from, options.page) } as HostCommandOptions);
    });
}
