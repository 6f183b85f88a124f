using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Text.Json;
using LlmMarketplace.Embedded;
using LlmMarketplace.Servers;
using LlmMarketplace.ServiceDefaults;
using LlmMarketplace.Storage;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace LlmMarketplace.Identity.Tests;

/// <summary>Identity as its host runs it, on a loopback port, with a database of its own; its public address is another.</summary>
public sealed class IdentityApp : IAsyncDisposable
{
    public const string Issuer = "https://market.test/";
    public const string AdministratorEmail = "root@market.test";
    public const string AdministratorPassword = "correct horse battery";
    public const string BootstrapId = "bootstrap";
    public const string BootstrapSecret = "bootstrap-secret-of-the-tests";
    public const string PublishingSecret = "publishing-secret-of-the-tests";

    private readonly bool ownsDatabase;

    private IdentityApp(WebApplication app, TestDatabase database, bool ownsDatabase, Dictionary<string, string?> settings)
    {
        App = app;
        Database = database;
        this.ownsDatabase = ownsDatabase;
        Settings = settings;
        Client = new HttpClient(new HttpClientHandler { AllowAutoRedirect = false, UseCookies = false }) { BaseAddress = new Uri(app.Urls.First()) };
    }

    public WebApplication App { get; }

    public TestDatabase Database { get; }

    public Dictionary<string, string?> Settings { get; }

    /// <summary>Without a token and without cookies.</summary>
    public HttpClient Client { get; }

    public static Dictionary<string, string?> DefaultSettings() => new()
    {
        ["Identity:Issuer"] = Issuer,
        ["Identity:Client:Id"] = "svc-identity",
        ["Identity:Client:Secret"] = "identity-secret-of-the-tests",
        ["Identity:Administrator:Email"] = AdministratorEmail,
        ["Identity:Administrator:Password"] = AdministratorPassword,
        ["Identity:BootstrapClient:Id"] = BootstrapId,
        ["Identity:BootstrapClient:Secret"] = BootstrapSecret,
        ["Identity:ServiceClients:publishing"] = PublishingSecret,
        ["Identity:ServiceClients:identity"] = "identity-secret-of-the-tests",
        ["Identity:RateLimits:SignInAttemptsPerMinute"] = "1000",
        ["Keys:Identity"] = Convert.ToBase64String(RandomNumberGenerator.GetBytes(32)),
        ["Messaging:Transport"] = "Feed",
        ["Telemetry:Shared"] = "true",
    };

    /// <summary>Starts it on an empty database; <paramref name="change"/> may change the settings first.</summary>
    public static async Task<IdentityApp> StartAsync(PostgresServer postgres, Action<Dictionary<string, string?>>? change = null)
    {
        var settings = DefaultSettings();
        change?.Invoke(settings);
        var database = await postgres.CreateDatabaseAsync("identity");
        try
        {
            return await StartAsync(database, settings, ownsDatabase: true);
        }
        catch
        {
            await database.DisposeAsync();
            throw;
        }
    }

    /// <summary>Starts one more on a database that is there.</summary>
    public static async Task<IdentityApp> StartAsync(TestDatabase database, Dictionary<string, string?> settings, bool ownsDatabase = false, bool migrate = true)
    {
        var builder = WebApplication.CreateBuilder();
        var address = $"http://127.0.0.1:{FreePort.Choose()}";
        builder.Configuration.AddInMemoryCollection(settings);
        builder.Configuration.AddInMemoryCollection(
        [
            new("services:identity:http:0", address),
            new("ConnectionStrings:identity", database.AppConnectionString),
            new("ConnectionStrings:identity-owner", database.OwnerConnectionString),
        ]);
        builder.Logging.SetMinimumLevel(LogLevel.Warning);
        builder.WebHost.UseUrls(address);
        builder.AddServiceDefaults("identity");
        builder.AddIdentity();
        builder.AddBackingClients();
        var app = builder.Build();
        app.MapServiceDefaults();
        app.MapIdentity();
        try
        {
            if (migrate)
            {
                await app.Services.MigrateDatabasesAsync();
            }

            await app.StartAsync();
        }
        catch
        {
            await app.DisposeAsync();
            throw;
        }

        return new IdentityApp(app, database, ownsDatabase, settings);
    }

    public async Task<(int Status, JsonElement Body)> TokenAsync(params (string Name, string Value)[] form)
    {
        using var content = new FormUrlEncodedContent(form.Select(field => KeyValuePair.Create(field.Name, field.Value)));
        using var response = await Client.PostAsync("/connect/token", content);
        return ((int)response.StatusCode, JsonDocument.Parse(await response.Content.ReadAsStringAsync()).RootElement);
    }

    public Task<(int Status, JsonElement Body)> ClientTokenAsync(string id, string secret, string? scope = "marketplace") => scope is null
        ? TokenAsync(("grant_type", "client_credentials"), ("client_id", id), ("client_secret", secret))
        : TokenAsync(("grant_type", "client_credentials"), ("client_id", id), ("client_secret", secret), ("scope", scope));

    /// <summary>The management API as the bootstrap client, an administrator.</summary>
    public async Task<Api> AdministratorAsync()
    {
        var (status, body) = await ClientTokenAsync(BootstrapId, BootstrapSecret);
        Assert.True(status == 200, body.ToString());
        return ApiWith(body.GetProperty("access_token").GetString()!);
    }

    public Api ApiWith(string? token)
    {
        var client = new HttpClient { BaseAddress = Client.BaseAddress };
        client.DefaultRequestHeaders.Authorization = token is null ? null : new AuthenticationHeaderValue("Bearer", token);
        return new(client);
    }

    /// <summary>Rows of a query by the database's superuser, first column as text.</summary>
    public async Task<List<string>> SqlAsync(string sql)
    {
        await using var connection = new NpgsqlConnection(Database.SuperuserConnectionString + ";Pooling=false");
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(sql, connection);
        await using var reader = await command.ExecuteReaderAsync();
        var rows = new List<string>();
        while (await reader.ReadAsync())
        {
            rows.Add(reader.IsDBNull(0) ? "" : reader.GetValue(0).ToString()!);
        }

        return rows;
    }

    /// <summary>Stops it and leaves the database.</summary>
    public async Task StopAsync()
    {
        Client.Dispose();
        await App.StopAsync();
        await App.DisposeAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        if (ownsDatabase)
        {
            await Database.DisposeAsync();
        }
    }
}

/// <summary>Calls of the management API, answered with status and JSON.</summary>
public sealed record Api(HttpClient Http)
{
    public Task<Answer> GetAsync(string path) => SendAsync(HttpMethod.Get, path);

    public Task<Answer> PostAsync(string path, object? body = null) => SendAsync(HttpMethod.Post, path, body);

    public Task<Answer> PutAsync(string path, object body) => SendAsync(HttpMethod.Put, path, body);

    public Task<Answer> PatchAsync(string path, object body, string? ifMatch = null) => SendAsync(HttpMethod.Patch, path, body, ifMatch);

    public Task<Answer> DeleteAsync(string path) => SendAsync(HttpMethod.Delete, path);

    /// <summary>A new organisation; its id.</summary>
    public async Task<Guid> OrganisationAsync(string slug) =>
        (await PostAsync("/api/v1/organisations", new { slug, name = slug })).Expect(201).Body.GetProperty("id").GetGuid();

    /// <summary>A new user with roles; their id.</summary>
    public async Task<Guid> UserAsync(string email, string password, params (Guid Organisation, string[] Roles)[] memberships)
    {
        var id = (await PostAsync("/api/v1/users", new { email, name = email, password })).Expect(201).Body.GetProperty("id").GetGuid();
        foreach (var (organisation, roles) in memberships)
        {
            (await PutAsync($"/api/v1/users/{id}/memberships/{organisation}", new { roles })).Expect(200);
        }

        return id;
    }

    /// <summary>A new machine client; its id and secret.</summary>
    public async Task<(string Id, string Secret)> ClientAsync(Guid organisationId, params string[] roles)
    {
        var body = (await PostAsync("/api/v1/clients", new { name = "program", organisationId, roles })).Expect(201).Body;
        return (body.GetProperty("client").GetProperty("id").GetString()!, body.GetProperty("secret").GetString()!);
    }

    public async Task<Guid> OperatorAsync() =>
        (await GetAsync("/api/v1/organisations?slug=operator")).Expect(200).Body.GetProperty("items")[0].GetProperty("id").GetGuid();

    private async Task<Answer> SendAsync(HttpMethod method, string path, object? body = null, string? ifMatch = null)
    {
        using var request = new HttpRequestMessage(method, path) { Content = body is null ? null : JsonContent.Create(body) };
        if (ifMatch is not null)
        {
            request.Headers.TryAddWithoutValidation("If-Match", ifMatch);
        }

        using var response = await Http.SendAsync(request);
        var text = await response.Content.ReadAsStringAsync();
        return new((int)response.StatusCode, text.Length == 0 ? default : JsonDocument.Parse(text).RootElement, response.Headers.ETag?.Tag);
    }
}

/// <summary>An answer.</summary>
public sealed record Answer(int Status, JsonElement Body, string? ETag)
{
    /// <summary>The stable code of a problem.</summary>
    public string? Code => Body.ValueKind is JsonValueKind.Object && Body.TryGetProperty("code", out var code) ? code.GetString() : null;

    public Answer Expect(int status)
    {
        Assert.True(Status == status, $"{status} was expected, but it is {Status}: {Body}");
        return this;
    }

    public void ExpectProblem(int status, string code)
    {
        Expect(status);
        Assert.Equal(code, Code);
    }
}
