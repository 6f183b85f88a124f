using LlmMarketplace.ServiceDefaults;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace LlmMarketplace.Gateway.Tests.Logging;

/// <summary>What a service of its own process logs, as every host sets it up.</summary>
public sealed class LogLevelsTests
{
    [Theory]
    [InlineData("LlmMarketplace.Gateway.Routing", LogLevel.Information)]
    [InlineData("Microsoft.Hosting.Lifetime", LogLevel.Information)]
    [InlineData("Microsoft.EntityFrameworkCore.Database.Command", LogLevel.Warning)]
    [InlineData("Npgsql.Command", LogLevel.Warning)]
    [InlineData("System.Net.Http.HttpClient.internal:identity.LogicalHandler", LogLevel.Warning)]
    public void A_service_says_what_it_does_and_of_its_libraries_only_what_is_wrong(string category, LogLevel least) =>
        Assert.Equal(least, LeastOf(category));

    [Fact]
    public void An_operator_may_hear_more() =>
        Assert.Equal(LogLevel.Debug, LeastOf("Npgsql.Command", "--Logging:LogLevel:Npgsql=Debug"));

    private static LogLevel LeastOf(string category, params string[] arguments)
    {
        var builder = WebApplication.CreateBuilder(arguments);
        builder.AddServiceDefaults("gateway");
        using var services = builder.Services.BuildServiceProvider();
        var logger = services.GetRequiredService<ILoggerFactory>().CreateLogger(category);
        return Enum.GetValues<LogLevel>().First(logger.IsEnabled);
    }
}
