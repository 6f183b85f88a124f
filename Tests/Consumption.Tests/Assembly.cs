using LlmMarketplace.Consumption.Tests;
using Xunit;

[assembly: AssemblyFixture(typeof(Marketplace))]
