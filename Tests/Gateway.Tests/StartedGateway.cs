using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using LlmMarketplace.Identity.Contracts;
using LlmMarketplace.Servers;
using Microsoft.AspNetCore.Builder;

namespace LlmMarketplace.Gateway.Tests;

/// <summary>A gateway on a free port, as its host runs it, with recorded services behind it.</summary>
public sealed class StartedGateway : IAsyncDisposable
{
    private static readonly string[] Names = ["identity", "publishing", "discovery", "consumption", "admin"];

    private readonly TestIdentity identity;
    private readonly TestService gateway;

    private StartedGateway(TestIdentity identity, TestService gateway, IReadOnlyDictionary<string, RecordedService> services)
    {
        this.identity = identity;
        this.gateway = gateway;
        Services = services;
        Client = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false, UseProxy = false }) { BaseAddress = new Uri(gateway.Address) };
    }

    public IReadOnlyDictionary<string, RecordedService> Services { get; }

    public HttpClient Client { get; }

    public Uri Address => new(gateway.Address);

    public TestIdentity Identity => identity;

    public IEnumerable<ReceivedRequest> Received => Services.Values.SelectMany(service => service.Received);

    public static async Task<StartedGateway> StartAsync(Dictionary<string, string?>? settings = null, Action<WebApplication>? map = null, string? down = null)
    {
        var identity = await TestIdentity.StartAsync();
        var services = new Dictionary<string, RecordedService>();
        foreach (var name in Names)
        {
            services[name] = await RecordedService.StartAsync(name);
        }

        var all = Names.ToDictionary(name => $"services:{name}:http:0", name => (string?)services[name].Address);
        if (down is not null)
        {
            all[$"services:{down}:http:0"] = $"http://127.0.0.1:{ClosedPort()}";
        }

        foreach (var (key, value) in settings ?? [])
        {
            all[key] = value;
        }

        // Tokens are checked against TestIdentity; what is forwarded to identity goes to its recorded stand-in.
        var keys = new Uri(identity.Address);
        services["identity"].Answer = context => context.Request.Path == "/.well-known/jwks" ? Relay(context, keys) : RecordedService.Plain(context);
        var gateway = await TestService.StartAsync("gateway", identity, database: null, builder => builder.AddGateway(), app =>
        {
            map?.Invoke(app);
            app.MapGateway();
        }, all);
        return new(identity, gateway, services);
    }

    public string Token(params string[] roles) => identity.Token(Guid.CreateVersion7(), "acme", roles.Length == 0 ? [Roles.Consumer] : roles);

    public async Task<HttpResponseMessage> SendAsync(HttpMethod method, string path, string? bearer = null, HttpContent? content = null, params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(method, path) { Content = content };
        if (bearer is not null)
        {
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", bearer);
        }

        foreach (var (name, value) in headers)
        {
            request.Headers.TryAddWithoutValidation(name, value);
        }

        return await Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, TestContext.Current.CancellationToken);
    }

    public Task<HttpResponseMessage> GetAsync(string path, string? bearer = null, params (string Name, string Value)[] headers) => SendAsync(HttpMethod.Get, path, bearer, null, headers);

    /// <summary>Sends bytes as they are: no client library tidies the path.</summary>
    public async Task<(int Status, string Text)> SendRawAsync(string request)
    {
        using var socket = new TcpClient();
        await socket.ConnectAsync(IPAddress.Loopback, Address.Port, TestContext.Current.CancellationToken);
        await using var stream = socket.GetStream();
        await stream.WriteAsync(Encoding.Latin1.GetBytes(request), TestContext.Current.CancellationToken);
        using var reader = new StreamReader(stream, Encoding.Latin1);
        var text = await reader.ReadToEndAsync(TestContext.Current.CancellationToken);
        return (text.Length > 12 ? int.Parse(text.AsSpan(9, 3), System.Globalization.CultureInfo.InvariantCulture) : 0, text);
    }

    public Task<(int Status, string Text)> GetRawAsync(string target, string? bearer = null) => SendRawAsync(
        $"GET {target} HTTP/1.1\r\nHost: {Address.Authority}\r\nConnection: close\r\n{(bearer is null ? "" : $"Authorization: Bearer {bearer}\r\n")}\r\n");

    public static async Task<JsonElement> JsonOf(HttpResponseMessage answer) =>
        JsonDocument.Parse(await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken)).RootElement;

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await gateway.DisposeAsync();
        foreach (var service in Services.Values)
        {
            await service.DisposeAsync();
        }

        await identity.DisposeAsync();
    }

    private static int ClosedPort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private static async Task Relay(Microsoft.AspNetCore.Http.HttpContext context, Uri keys)
    {
        using var client = new HttpClient();
        await context.Response.Body.WriteAsync(await client.GetByteArrayAsync(new Uri(keys, "/.well-known/jwks")));
    }
}
