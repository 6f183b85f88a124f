using System.Net.Http.Headers;
using LlmMarketplace.ServiceDefaults;
using LlmMarketplace.Storage;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace LlmMarketplace.Servers;

/// <summary>One service as its host runs it, on a free loopback port, with its database migrated.</summary>
public sealed class TestService : IAsyncDisposable
{
    private TestService(WebApplication app)
    {
        App = app;
        Client = new HttpClient { BaseAddress = new Uri(app.Urls.First()) };
    }

    /// <summary>The application.</summary>
    public WebApplication App { get; }

    /// <summary>A client of its address, without a token.</summary>
    public HttpClient Client { get; }

    /// <summary>Its address.</summary>
    public string Address => App.Urls.First();

    /// <summary>Starts a service.</summary>
    /// <param name="name">The service's name, for instance <c>publishing</c>.</param>
    /// <param name="identity">Whom it trusts.</param>
    /// <param name="database">Its database, or null when it has none.</param>
    /// <param name="add">The service's own Add.</param>
    /// <param name="map">The service's own Map.</param>
    /// <param name="settings">Further settings.</param>
    public static async Task<TestService> StartAsync(
        string name,
        TestIdentity identity,
        TestDatabase? database,
        Action<WebApplicationBuilder> add,
        Action<WebApplication> map,
        IEnumerable<KeyValuePair<string, string?>>? settings = null)
    {
        var builder = WebApplication.CreateBuilder();
        builder.Configuration.AddInMemoryCollection(identity.Settings);
        builder.Configuration.AddInMemoryCollection(
        [
            new("Messaging:Transport", "Feed"),
            new("Telemetry:Shared", "true"),
            new($"ConnectionStrings:{name}", database?.AppConnectionString),
            new($"ConnectionStrings:{name}-owner", database?.OwnerConnectionString),
        ]);
        builder.Configuration.AddInMemoryCollection(settings ?? []);
        builder.Logging.SetMinimumLevel(LogLevel.Warning);
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.AddServiceDefaults(name);
        add(builder);
        builder.AddBackingClients();
        var app = builder.Build();
        app.MapServiceDefaults();
        map(app);
        if (app.Services.GetServices<DatabaseDeclaration>().Any())
        {
            await app.Services.MigrateDatabasesAsync();
        }

        await app.StartAsync();
        return new TestService(app);
    }

    /// <summary>A client that brings a token.</summary>
    public HttpClient ClientWith(string token)
    {
        var client = new HttpClient { BaseAddress = Client.BaseAddress };
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
        return client;
    }

    /// <summary>Stops it.</summary>
    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await App.StopAsync();
        await App.DisposeAsync();
    }
}
