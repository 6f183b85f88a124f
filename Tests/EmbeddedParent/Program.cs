// A process that embeds PostgreSQL and waits to be killed: `EmbeddedParent DIRECTORY` prints "ready <postmaster's process id>".
using LlmMarketplace.Embedded;

await using var postgres = await EmbeddedPostgres.StartAsync(new() { Directory = args[0], Durable = false });
Console.WriteLine($"ready {postgres.ProcessId}");
await postgres.Exited;
