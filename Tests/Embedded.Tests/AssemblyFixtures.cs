using LlmMarketplace.Servers;
using Xunit;

[assembly: AssemblyFixture(typeof(PostgresServer))]
[assembly: AssemblyFixture(typeof(RedisServers))]
[assembly: AssemblyFixture(typeof(KafkaServer))]
