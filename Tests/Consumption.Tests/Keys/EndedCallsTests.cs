using System.Net;
using LlmMarketplace.Servers;
using Xunit;

namespace LlmMarketplace.Consumption.Tests.Keys;

/// <summary>Calls that run while their key is revoked.</summary>
public sealed class EndedCallsTests(Marketplace marketplace)
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);

    [Fact]
    public async Task A_key_revoked_with_its_calls_ends_their_streams_in_every_instance_with_an_error_event_and_bills_what_was_delivered()
    {
        await using var other = await marketplace.StartInstanceAsync();
        using var shop = await Shop.OpenAsync(marketplace, BeginAndWait, Prices.PerMillionTokens(0m, 10m));
        using var there = await ClientAsync(other, shop);
        await using var streams = new Streams([await BegunAsync(shop, shop.Client), await BegunAsync(shop, there)]);

        Assert.Equal(HttpStatusCode.NoContent, (await shop.Member.Client.DeleteAsync($"/api/v1/keys/{shop.Key.Id}?terminate=true")).StatusCode);

        foreach (var (answer, rest) in streams.All)
        {
            var text = await rest.ReadToEndAsync().WaitAsync(Patience);
            Assert.Contains("\"code\":\"revoked_api_key\"", text, StringComparison.Ordinal);
            Assert.DoesNotContain("[DONE]", text, StringComparison.Ordinal);
            var record = await shop.RecordAsync(answer);
            Assert.Equal(("cut", 2, 0.00002m), (record.Text("outcome"), record.GetProperty("outputTokens").GetInt64(), record.GetProperty("cost").GetDecimal()));
        }

        await Task.WhenAll(shop.Seen.Select(call => call.Left)).WaitAsync(Patience); // Nor does the provider go on.
    }

    [Fact]
    public async Task Streams_of_a_key_that_is_revoked_finish_unless_they_are_ended_later()
    {
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var shop = await Shop.OpenAsync(marketplace, async call =>
        {
            await ProviderScripts.BeginStreamAsync(call);
            await ProviderScripts.SendAsync(call, ProviderScripts.Chunk("12345678"));
            await (call.Body.Contains("finishes", StringComparison.Ordinal) ? gate.Task : Task.Delay(Timeout.Infinite, call.Http.RequestAborted));
            await ProviderScripts.SendAsync(call, "data: [DONE]\n\n");
        });
        await using var streams = new Streams([await BegunAsync(shop, shop.Client, "\"messages\":[{\"role\":\"user\",\"content\":\"finishes\"}]"), await BegunAsync(shop, shop.Client)]);
        var (finishes, ended) = (streams.All[0], streams.All[1]);

        await shop.Member.Client.DeleteAsync($"/api/v1/keys/{shop.Key.Id}");
        await Until.TrueAsync(async () => (await shop.ChatAsync(isShipped: false)).StatusCode == HttpStatusCode.Unauthorized);
        gate.SetResult();
        Assert.EndsWith("data: [DONE]\n\n", await finishes.Text.ReadToEndAsync().WaitAsync(Patience), StringComparison.Ordinal);
        Assert.False(shop.Seen[1].Left.IsCompleted);

        await shop.Member.Client.DeleteAsync($"/api/v1/keys/{shop.Key.Id}?terminate=true");
        Assert.Contains("revoked_api_key", await ended.Text.ReadToEndAsync().WaitAsync(Patience), StringComparison.Ordinal);
        Assert.Equal(("completed", "cut"), ((await shop.RecordAsync(finishes.Answer)).Text("outcome"), (await shop.RecordAsync(ended.Answer)).Text("outcome")));
    }

    [Fact]
    public async Task A_whole_answer_that_is_awaited_is_refused_and_not_charged()
    {
        using var shop = await Shop.OpenAsync(marketplace, call => Task.Delay(Timeout.Infinite, call.Http.RequestAborted));
        var call = shop.ChatAsync();
        await Until.TrueAsync(() => shop.Seen.Count == 1);

        await shop.Member.Client.DeleteAsync($"/api/v1/keys/{shop.Key.Id}?terminate=true");

        using var answer = await call.WaitAsync(Patience);
        Assert.Equal((401, "revoked_api_key"), ((await answer.ErrorAsync()).Status, (await answer.ErrorAsync()).Code));
        var record = await shop.RecordAsync(answer);
        Assert.Equal(("failed", 0m), (record.Text("outcome"), record.GetProperty("cost").GetDecimal()));
    }

    [Fact]
    public async Task A_stream_of_messages_ends_with_the_error_event_of_its_protocol()
    {
        using var shop = await Shop.OpenAsync(marketplace, BeginAndWait);
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/messages") { Content = Json.Content(shop.Body(Shop.Hello + ",\"max_tokens\":10,\"stream\":true")) };
        using var answer = await shop.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        using var reader = new StreamReader(await answer.Content.ReadAsStreamAsync());
        Assert.Contains("message_start", await reader.ReadLineAsync(), StringComparison.Ordinal);

        await shop.Member.Client.DeleteAsync($"/api/v1/keys/{shop.Key.Id}?terminate=true");

        var text = await reader.ReadToEndAsync().WaitAsync(Patience);
        Assert.Contains("event: error\n", text, StringComparison.Ordinal);
        Assert.Contains("authentication_error", text, StringComparison.Ordinal);
        Assert.DoesNotContain("message_stop", text, StringComparison.Ordinal);
        Assert.Equal("cut", (await shop.RecordAsync(answer)).Text("outcome"));
    }

    [Fact]
    public async Task A_caller_who_does_not_read_does_not_hold_up_the_end()
    {
        using var shop = await Shop.OpenAsync(marketplace, async call =>
        {
            await ProviderScripts.BeginStreamAsync(call);
            while (true)
            {
                await ProviderScripts.SendAsync(call, ProviderScripts.Chunk(new string('x', 100_000)));
            }
        });
        using var answer = await shop.StreamAsync();
        await Until.TrueAsync(() => shop.Seen.Count == 1);

        await shop.Member.Client.DeleteAsync($"/api/v1/keys/{shop.Key.Id}?terminate=true");

        Assert.Equal("cut", (await shop.RecordAsync(answer)).Text("outcome"));
        await shop.Seen[0].Left.WaitAsync(Patience);
    }

    private static async Task BeginAndWait(ReceivedCall call)
    {
        await ProviderScripts.BeginStreamAsync(call);
        await ProviderScripts.SendAsync(call, ProviderScripts.Chunk("12345678"));
        await Task.Delay(Timeout.Infinite, call.Http.RequestAborted);
    }

    private static async Task<(HttpResponseMessage Answer, StreamReader Text)> BegunAsync(Shop shop, HttpClient client, string members = Shop.Hello)
    {
        var answer = await shop.StreamAsync(members, client);
        var reader = new StreamReader(await answer.Content.ReadAsStreamAsync());
        Assert.Contains("12345678", await reader.ReadLineAsync(), StringComparison.Ordinal);
        return (answer, reader);
    }

    private static async Task<HttpClient> ClientAsync(TestService instance, Shop shop)
    {
        var client = shop.Key.Client(instance);
        await Until.TrueAsync(async () => (await client.GetAsync($"/v1/models/{shop.Model}")).IsSuccessStatusCode);
        return client;
    }

    private sealed record Streams((HttpResponseMessage Answer, StreamReader Text)[] All) : IAsyncDisposable
    {
        public ValueTask DisposeAsync()
        {
            foreach (var (answer, rest) in All)
            {
                rest.Dispose();
                answer.Dispose();
            }

            return ValueTask.CompletedTask;
        }
    }
}
