using LlmMarketplace.Publishing.Tests;

[assembly: AssemblyFixture(typeof(SharedPublishing))]
