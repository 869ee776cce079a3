// `gossamer token`: makes and removes the tokens of a host's operators, on the host's own machine.
import type { Command, Option } from "commander";
import { AdminTokens } from "../host/admin-tokens.ts";
import { StartError } from "../host/server.ts";

export function addTokenCommand(program: Command, dataOption: () => Option): void {
  const token = program
    .command("token")
    .description("tokens for a host's operators: the page /admin, gossamer run start|pause|…");
  token
    .command("new")
    .description("make one; it is printed once, and only its hash is kept")
    .addOption(dataOption())
    .option("--label <text>", "whose it is", "operator")
    .action(async ({ data, label }: { data: string; label: string }) => {
      const { token, row } = await new AdminTokens(data).make(label, Date.now());
      console.error(
        `Token ${row.id} for "${row.label}". It counts at once, also for a host that is up, and is not shown again:`,
      );
      console.log(token);
    });
  token
    .command("list")
    .description("whose there are; not what they are")
    .addOption(dataOption())
    .action(async ({ data }: { data: string }) => {
      const rows = await new AdminTokens(data).list();
      if (rows.length === 0) console.error("There is none. Make one: gossamer token new");
      for (const { id, label, madeAt } of rows)
        console.log(`${id}  ${new Date(madeAt).toISOString().slice(0, 10)}  ${label}`);
    });
  token
    .command("remove")
    .description("it counts no more from now on")
    .argument("<id>", "as list shows it")
    .addOption(dataOption())
    .action(async (id: string, { data }: { data: string }) => {
      if (!(await new AdminTokens(data).remove(id)))
        throw new StartError(`There is no token ${id} in ${data}. gossamer token list shows them.`);
      console.error(`Token ${id} is removed.`);
    });
}
