using System.Net.Sockets;
using System.Text;
using LlmMarketplace.Servers;
using Xunit;

namespace LlmMarketplace.Consumption.Tests.Serving;

public sealed class SlowSendersTests(Marketplace marketplace)
{
    [Fact]
    public async Task Who_sends_a_body_too_slowly_is_told_so_and_let_go_and_nothing_happened()
    {
        using var shop = await Shop.OpenAsync(marketplace, ProviderScripts.Chat("hi", 1, 1));
        using var client = new TcpClient();
        await client.ConnectAsync("127.0.0.1", marketplace.Service.Client.BaseAddress!.Port);
        await using var stream = client.GetStream();
        await stream.WriteAsync(Encoding.ASCII.GetBytes(
            $"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {shop.Key.Text}\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{{\"model\":"));

        using var reader = new StreamReader(stream);
        var answer = await reader.ReadToEndAsync().WaitAsync(TimeSpan.FromMinutes(1)); // Until the connection is closed.

        Assert.StartsWith("HTTP/1.1 408 ", answer, StringComparison.Ordinal);
        Assert.Contains("\"code\":\"request_timeout\"", answer, StringComparison.Ordinal);
        Assert.Empty(shop.Seen);
        Assert.Equal((0, 0m), await shop.TotalAsync());
    }
}
