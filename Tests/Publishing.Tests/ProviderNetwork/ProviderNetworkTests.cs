using System.Net;
using System.Net.Sockets;
using LlmMarketplace.ProviderNetwork;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace LlmMarketplace.Publishing.Tests.ProviderNetwork;

public sealed class ProviderNetworkTests
{
    [Theory]
    [InlineData("0.0.0.0")]
    [InlineData("10.255.255.255")]
    [InlineData("100.64.0.1")]
    [InlineData("127.0.0.1")]
    [InlineData("127.255.255.254")]
    [InlineData("169.254.169.254")]
    [InlineData("172.16.0.1")]
    [InlineData("172.31.255.255")]
    [InlineData("192.168.0.1")]
    [InlineData("198.18.0.1")]
    [InlineData("224.0.0.1")]
    [InlineData("255.255.255.255")]
    [InlineData("::")]
    [InlineData("::1")]
    [InlineData("::127.0.0.1")]
    [InlineData("::ffff:127.0.0.1")]
    [InlineData("::ffff:a9fe:a9fe")]
    [InlineData("64:ff9b::10.0.0.1")]
    [InlineData("64:ff9b:1::1")]
    [InlineData("2002:7f00:1::")]
    [InlineData("2002:a00:1::")]
    [InlineData("2001::1")]
    [InlineData("2001:db8::1")]
    [InlineData("fc00::1")]
    [InlineData("fd00:ec2::254")]
    [InlineData("fe80::1")]
    [InlineData("fe80::1%2")]
    [InlineData("ff02::1")]
    [InlineData("4000::1")]
    public void An_address_that_is_not_publicly_reachable_is_forbidden(string address) => Assert.True(ForbiddenAddresses.IsForbidden(IPAddress.Parse(address)));

    [Theory]
    [InlineData("1.1.1.1")]
    [InlineData("93.184.216.34")]
    [InlineData("172.15.255.255")]
    [InlineData("172.32.0.1")]
    [InlineData("192.169.0.1")]
    [InlineData("223.255.255.255")]
    [InlineData("::ffff:1.1.1.1")]
    [InlineData("64:ff9b::1.1.1.1")]
    [InlineData("2002:101:101::")]
    [InlineData("2606:4700:4700::1111")]
    [InlineData("2a00:1450:4001:80b::200e")]
    public void A_public_address_is_allowed(string address) => Assert.False(ForbiddenAddresses.IsForbidden(IPAddress.Parse(address)));

    [Theory]
    [InlineData("http://127.0.0.1:{port}/")]
    [InlineData("http://[::1]:{port}/")]
    [InlineData("http://localhost:{port}/")]
    [InlineData("http://rebound.example.com:{port}/")]
    [InlineData("http://here.local:{port}/")]
    [InlineData("http://other.local/")]
    public async Task No_connection_is_made_to_what_is_forbidden_whatever_was_checked_before(string address)
    {
        await using var provider = await Provider.StartAsync();
        using var client = new HttpClient(Connections(provider.Port).CreateHandler(TimeSpan.FromSeconds(5)));
        var uri = new Uri(address.Replace("{port}", provider.Port, StringComparison.Ordinal));
        var refused = await Assert.ThrowsAsync<HttpRequestException>(() => client.GetAsync(uri, TestContext.Current.CancellationToken));
        Assert.IsType<ForbiddenEndpointException>(refused.InnerException);
        Assert.Equal(0, provider.Requests);
    }

    [Fact]
    public async Task A_local_provider_is_reached_at_the_operators_address_and_nothing_is_followed()
    {
        await using var provider = await Provider.StartAsync();
        using var client = new HttpClient(Connections(provider.Port).CreateHandler(TimeSpan.FromSeconds(5)));
        using var answer = await client.GetAsync(new Uri("http://here.local/moved"), TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.Redirect, answer.StatusCode);
        Assert.Equal(1, provider.Requests);
    }

    [Theory]
    [InlineData("http://here.local/v1", "owner", true)]
    [InlineData("http://HERE.local/v1", "owner", true)]
    [InlineData("http://here.local/v1", "other", false)]
    [InlineData("http://here.local:8080/v1", "owner", false)]
    [InlineData("https://here.local/v1", "owner", false)]
    [InlineData("http://here.local.example.com/v1", "owner", false)]
    public void Only_the_owner_finds_a_local_provider_and_only_by_its_very_name(string endpoint, string organisation, bool found) =>
        Assert.Equal(found, Local("1").Find(new Uri(endpoint), organisation) is not null);

    [Theory]
    [InlineData(null, "owner", "Providers:Local:here:Address is missing")]
    [InlineData("http://127.0.0.1:1", null, "Providers:Local:here:Organisation is missing")]
    [InlineData("https://127.0.0.1:1", "owner", "it must be http://host:port")]
    [InlineData("http://127.0.0.1:1/v1", "owner", "it must be http://host:port")]
    public void A_wrong_setting_says_how_to_mend_it(string? address, string? organisation, string message)
    {
        var configuration = new ConfigurationBuilder().AddInMemoryCollection([new("Providers:Local:here:Address", address), new("Providers:Local:here:Organisation", organisation)]).Build();
        Assert.Contains(message, Assert.Throws<OptionsValidationException>(() => new LocalProviders(configuration)).Message, StringComparison.Ordinal);
    }

    private static ProviderConnections Connections(string port) => new(Local(port), new HostAddresses((host, _) => host is "rebound.example.com" or "localhost"
        ? Task.FromResult<IPAddress[]>([IPAddress.Loopback])
        : throw new SocketException((int)SocketError.HostNotFound)));

    private static LocalProviders Local(string port) => new(new ConfigurationBuilder()
        .AddInMemoryCollection([new("Providers:Local:here:Address", $"http://127.0.0.1:{port}"), new("Providers:Local:here:Organisation", "owner")]).Build());

    /// <summary>A real server that counts what reaches it.</summary>
    private sealed class Provider(WebApplication app) : IAsyncDisposable
    {
        private int requests;

        public int Requests => Volatile.Read(ref requests);

        public string Port => new Uri(app.Urls.First()).Port.ToString(System.Globalization.CultureInfo.InvariantCulture);

        public static async Task<Provider> StartAsync()
        {
            var builder = WebApplication.CreateSlimBuilder();
            builder.Logging.ClearProviders();
            builder.WebHost.UseUrls("http://127.0.0.1:0", "http://[::1]:0");
            var app = builder.Build();
            var provider = new Provider(app);
            app.Run(context =>
            {
                Interlocked.Increment(ref provider.requests);
                context.Response.Redirect("/elsewhere");
                return Task.CompletedTask;
            });
            await app.StartAsync();
            return provider;
        }

        public ValueTask DisposeAsync() => app.DisposeAsync();
    }
}
