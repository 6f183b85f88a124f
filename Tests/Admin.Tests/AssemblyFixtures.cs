using LlmMarketplace.Servers;

[assembly: AssemblyFixture(typeof(PostgresServer))]
