using System.Net;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Text.Json;
using System.Text.Json.Nodes;
using LlmMarketplace.Identity.Contracts;
using LlmMarketplace.ProviderNetwork;
using LlmMarketplace.Publishing.Contracts;
using LlmMarketplace.Servers;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace LlmMarketplace.Publishing.Tests;

/// <summary>Publishing as its host runs it, over HTTP, on a database of its own.</summary>
public sealed class PublishingApp : IAsyncDisposable
{
    public const string ProviderSecretsKey = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    public const string LocalProvider = "here";

    /// <summary>The names that tests may use; all others lead nowhere.</summary>
    private static readonly Dictionary<string, string> Names = new()
    {
        ["api.example.com"] = "93.184.216.34",
        ["inside.example.com"] = "10.1.2.3",
        ["metadata.example.com"] = "169.254.169.254",
    };

    private readonly TestIdentity identity;
    private readonly bool ownsIdentity;
    private readonly bool ownsDatabase;

    private PublishingApp(TestIdentity identity, bool ownsIdentity, TestDatabase database, bool ownsDatabase, TestService service)
    {
        (this.identity, this.ownsIdentity, Database, this.ownsDatabase, Service) = (identity, ownsIdentity, database, ownsDatabase, service);
        Owner = NpgsqlDataSource.Create(database.OwnerConnectionString);
    }

    public TestDatabase Database { get; }

    public TestService Service { get; }

    /// <summary>For looking behind the service.</summary>
    public NpgsqlDataSource Owner { get; }

    public static async Task<PublishingApp> StartAsync(
        PostgresServer postgres, Action<WebApplicationBuilder>? configure = null, TestDatabase? database = null, Dictionary<string, string?>? settings = null, Action<IServiceCollection>? then = null, TestIdentity? trust = null)
    {
        var identity = trust ?? await TestIdentity.StartAsync();
        var own = database ?? await postgres.CreateDatabaseAsync("publishing");
        var service = await TestService.StartAsync("publishing", identity, own, Add, app => app.MapPublishing(), new Dictionary<string, string?>(settings ?? [])
        {
            ["Keys:ProviderSecrets"] = ProviderSecretsKey,
            [$"Providers:Local:{LocalProvider}:Address"] = "http://127.0.0.1:9",
            [$"Providers:Local:{LocalProvider}:Organisation"] = "local-owner",
        });
        return new PublishingApp(identity, trust is null, own, database is null, service);

        void Add(WebApplicationBuilder builder)
        {
            builder.Services.AddSingleton(new HostAddresses((host, _) =>
                Names.TryGetValue(host, out var address) ? Task.FromResult(new[] { IPAddress.Parse(address) }) : throw new SocketException((int)SocketError.HostNotFound)));
            builder.Logging.ClearProviders();
            configure?.Invoke(builder);
            builder.AddPublishing();
            then?.Invoke(builder.Services);
        }
    }

    /// <summary>A client of somebody with these roles in an organisation that Publishing knows.</summary>
    public async Task<Caller> CallerAsync(string role, string? slug = null, string subject = "alice")
    {
        var organisation = Guid.CreateVersion7();
        slug ??= "org-" + organisation.ToString("N")[20..];
        await using var command = Owner.CreateCommand("INSERT INTO organisations (id, slug, status) VALUES ($1, $2, 'active')");
        command.Parameters.Add(new() { Value = organisation });
        command.Parameters.Add(new() { Value = slug });
        await command.ExecuteNonQueryAsync();
        return CallerOf(organisation, slug, subject, role);
    }

    /// <summary>A client with the same token at another address.</summary>
    public Caller At(string address, Caller caller, params string[] roles)
    {
        var http = new HttpClient { BaseAddress = new Uri(address) };
        http.DefaultRequestHeaders.Authorization = new("Bearer", identity.Token(caller.Organisation, caller.Slug, roles, caller.Subject, lifetime: TimeSpan.FromDays(400)));
        return caller with { Http = http };
    }

    /// <summary>What a host in another process needs in its environment.</summary>
    public Dictionary<string, string?> HostSettings => new(identity.Settings)
    {
        ["ConnectionStrings:publishing"] = Database.AppConnectionString,
        ["Keys:ProviderSecrets"] = ProviderSecretsKey,
        ["Messaging:Transport"] = "Feed",
    };

    public Caller CallerOf(Guid organisation, string slug, string subject, params string[] roles) =>
        new(organisation, slug, subject, Service.ClientWith(identity.Token(organisation, slug, roles, subject, lifetime: TimeSpan.FromDays(400))));

    public Task<Caller> ProviderAsync(string? slug = null) => CallerAsync(Roles.Provider, slug);

    /// <summary>The events of a listing, oldest first.</summary>
    public async Task<IReadOnlyList<(long Version, ListingChanged Data)>> EventsAsync(Guid listing)
    {
        await using var command = Owner.CreateCommand("SELECT aggregate_version, data::text FROM messaging.outbox WHERE key = $1 ORDER BY aggregate_version");
        command.Parameters.Add(new() { Value = listing });
        await using var reader = await command.ExecuteReaderAsync();
        var events = new List<(long, ListingChanged)>();
        while (await reader.ReadAsync())
        {
            events.Add((reader.GetInt64(0), JsonSerializer.Deserialize<ListingChanged>(reader.GetString(1), ApiConventions.Json.Options)!));
        }

        return events;
    }

    /// <summary>What was told of a version's OpenAPI document.</summary>
    public async Task<IReadOnlyList<OpenApiDocumentPublished>> DocumentsAsync(Guid version)
    {
        await using var command = Owner.CreateCommand("SELECT data::text FROM messaging.outbox WHERE topic = $1 AND key = $2");
        command.Parameters.Add(new() { Value = PublishingEvents.OpenApiDocuments });
        command.Parameters.Add(new() { Value = version });
        await using var reader = await command.ExecuteReaderAsync();
        var documents = new List<OpenApiDocumentPublished>();
        while (await reader.ReadAsync())
        {
            documents.Add(JsonSerializer.Deserialize<OpenApiDocumentPublished>(reader.GetString(0), ApiConventions.Json.Options)!);
        }

        return documents;
    }

    public async Task ExecuteAsync(string sql, params object[] parameters)
    {
        await using var command = Owner.CreateCommand(sql);
        foreach (var parameter in parameters)
        {
            command.Parameters.Add(new() { Value = parameter });
        }

        await command.ExecuteNonQueryAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await Service.DisposeAsync();
        if (ownsIdentity)
        {
            await identity.DisposeAsync();
        }

        await Owner.DisposeAsync();
        if (ownsDatabase)
        {
            await Database.DisposeAsync();
        }
    }
}

/// <summary>The one that most tests share, each with organisations of its own.</summary>
public sealed class SharedPublishing : IAsyncLifetime
{
    /// <summary>For tests that start a service of their own.</summary>
    public PostgresServer Postgres { get; } = new();

    public PublishingApp App { get; private set; } = null!;

    public async ValueTask InitializeAsync() => App = await PublishingApp.StartAsync(Postgres);

    public async ValueTask DisposeAsync()
    {
        await App.DisposeAsync();
        await Postgres.DisposeAsync();
    }
}

/// <summary>Somebody with a token.</summary>
public sealed record Caller(Guid Organisation, string Slug, string Subject, HttpClient Http)
{
    public async Task<Guid> CreateListingAsync(string name = "embed", string visibility = "public")
    {
        var created = await (await Http.PostAsJsonAsync("/api/v1/listings", new { name, visibility = new { kind = visibility } })).JsonAsync(HttpStatusCode.Created);
        return created["id"]!.GetValue<Guid>();
    }

    public async Task<JsonNode> DraftAsync(Guid listing, JsonObject declaration) =>
        await (await Http.PostAsJsonAsync($"/api/v1/listings/{listing}/versions", declaration)).JsonAsync(HttpStatusCode.Created);

    public async Task<Guid> SubmitAsync(Guid listing, string version)
    {
        var run = await (await Http.PostAsync($"/api/v1/listings/{listing}/versions/{version}/submit", null)).JsonAsync(HttpStatusCode.Accepted);
        return run["id"]!.GetValue<Guid>();
    }

    /// <summary>Drafts and submits, and waits until the run ends or waits for a person.</summary>
    public async Task<JsonNode> PublishAsync(Guid listing, JsonObject declaration)
    {
        await DraftAsync(listing, declaration);
        return await SettledRunAsync(await SubmitAsync(listing, declaration["version"]!.GetValue<string>()));
    }

    public async Task<JsonNode> SettledRunAsync(Guid run)
    {
        return await Until.NotNullAsync(async () =>
        {
            var seen = await (await Http.GetAsync($"/api/v1/pipeline-runs/{run}")).JsonAsync();
            return seen["status"]!.GetValue<string>() is "running" or "compensating" ? null : seen;
        });
    }

    public async Task<JsonNode> VersionAsync(Guid listing, string version) => await (await Http.GetAsync($"/api/v1/listings/{listing}/versions/{version}")).JsonAsync();

    public async Task<string> StatusAsync(Guid listing, string version) => (await VersionAsync(listing, version))["status"]!.GetValue<string>();

    public Task<HttpResponseMessage> RewriteAsync(Guid listing, JsonObject declaration, string version = "1.0.0") =>
        Http.PutAsJsonAsync($"/api/v1/listings/{listing}/versions/{version}", declaration);

    public Task<HttpResponseMessage> RotateSecretAsync(Guid listing, string secret, string version = "1.0.0") =>
        Http.PutAsJsonAsync($"/api/v1/listings/{listing}/versions/{version}/secret", new { secret });

    public Task<HttpResponseMessage> PutCredentialAsync(Guid listing, string name, string? secret, string? endpoint = null, string version = "1.0.0") =>
        Http.PutAsJsonAsync($"/api/v1/listings/{listing}/versions/{version}/credentials/{name}", new { secret, endpoint });

    public Task<HttpResponseMessage> RemoveCredentialAsync(Guid listing, string name, string version = "1.0.0") =>
        Http.DeleteAsync($"/api/v1/listings/{listing}/versions/{version}/credentials/{name}");

    public Task<HttpResponseMessage> GetAsync(string path) => Http.GetAsync(path);

    public Task<HttpResponseMessage> PatchAsync(string path, object body) => Http.PatchAsJsonAsync(path, body);

    public Task<HttpResponseMessage> PostAsync(string path, object? body = null) => Http.PostAsJsonAsync(path, body ?? new { });
}

public static class HttpAnswers
{
    public static async Task<JsonNode> JsonAsync(this HttpResponseMessage response, HttpStatusCode expected = HttpStatusCode.OK)
    {
        var body = await response.Content.ReadAsStringAsync();
        Assert.True(response.StatusCode == expected, $"{response.RequestMessage!.Method} {response.RequestMessage.RequestUri} answered {(int)response.StatusCode}, not {(int)expected}: {body}");
        return JsonNode.Parse(body)!;
    }

    /// <summary>The code of a problem.</summary>
    public static async Task<string> CodeAsync(this HttpResponseMessage response, HttpStatusCode expected) => (await response.JsonAsync(expected))["code"]!.GetValue<string>();
}

public static class Until
{
    public static async Task<T> NotNullAsync<T>(Func<Task<T?>> look, int seconds = 90)
        where T : class
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(seconds));
        while (true)
        {
            if (await look() is { } found)
            {
                return found;
            }

            await Task.Delay(25, patience.Token);
        }
    }

    public static Task TrueAsync(Func<Task<bool>> look, int seconds = 90) => NotNullAsync(async () => await look() ? "" : null, seconds);
}
