using System.Net;
using System.Net.Sockets;
using System.Text;
using LlmMarketplace.Consumption.Rpc;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Xunit;

namespace LlmMarketplace.Consumption.Tests.Rpc;

public sealed class CleartextHttp2Tests : IAsyncLifetime
{
    private readonly WebApplication app;

    public CleartextHttp2Tests()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromMinutes(10));
        builder.Services.AddCleartextHttp2();
        app = builder.Build();
        app.Run(http => http.Response.WriteAsync($"{http.Request.Protocol} {http.Request.Scheme}"));
    }

    public async ValueTask InitializeAsync() => await app.StartAsync();

    public ValueTask DisposeAsync() => app.DisposeAsync();

    [Theory]
    [InlineData("1.1", "HTTP/1.1 http")]
    [InlineData("2.0", "HTTP/2 http")]
    public async Task Both_protocols_are_spoken_at_one_address_without_TLS(string version, string said)
    {
        using var client = new HttpClient { DefaultRequestVersion = Version.Parse(version), DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact };

        Assert.Equal(said, await client.GetStringAsync(app.Urls.First()));
    }

    [Theory]
    [InlineData("GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n", "HTTP/1.1 200")]
    [InlineData("PRI / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n", "HTTP/1.1 200")]
    [InlineData("P", "")]
    public async Task Whatever_comes_byte_by_byte_and_is_no_preface_is_left_to_the_older_protocol(string sent, string answer)
    {
        using var client = await ConnectAsync();
        using var stream = new NetworkStream(client);
        foreach (var one in Encoding.ASCII.GetBytes(sent))
        {
            await client.SendAsync(new[] { one });
        }

        if (answer.Length == 0)
        {
            client.Shutdown(SocketShutdown.Send); // After a whole request it could be taken for a caller who leaves.
        }

        using var reader = new StreamReader(stream);
        Assert.StartsWith(answer, await reader.ReadToEndAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_connection_that_says_nothing_does_not_keep_the_process_from_stopping()
    {
        using var client = await ConnectAsync();
        using var http = new HttpClient();
        await http.GetStringAsync(app.Urls.First()); // Accepted in order: the silent one is too.

        await app.StopAsync().WaitAsync(TimeSpan.FromSeconds(12)); // Sooner than it is given up for saying nothing.
    }

    private async Task<Socket> ConnectAsync()
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(IPAddress.Loopback, new Uri(app.Urls.First()).Port);
        return socket;
    }
}
