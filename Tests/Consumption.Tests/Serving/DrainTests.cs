using LlmMarketplace.Consumption.Tests.Surfaces;
using LlmMarketplace.Publishing.Contracts;
using LlmMarketplace.Servers;
using Xunit;

namespace LlmMarketplace.Consumption.Tests.Serving;

/// <summary>A listing that is drained: its answers are read to their end, whether their callers are there or not.</summary>
public sealed class DrainTests(Marketplace marketplace)
{
    private static readonly TimeSpan BetweenChunks = TimeSpan.FromMilliseconds(20);
    private const int Chunks = 150;

    [Fact]
    public async Task A_stream_whose_caller_left_is_read_to_its_end_and_charged_by_the_providers_figures()
    {
        var left = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var shop = await OpenAsync(async call =>
        {
            await ProviderScripts.BeginStreamAsync(call);
            await ProviderScripts.SendAsync(call, ProviderScripts.Chunk("12345678"));
            await left.Task.WaitAsync(call.Http.RequestAborted);
            for (var chunk = 0; chunk < Chunks; chunk++)
            {
                await ProviderScripts.SendAsync(call, ProviderScripts.Chunk("12345678"));
                await Task.Delay(BetweenChunks, call.Http.RequestAborted);
            }

            await ProviderScripts.SendAsync(call, ProviderScripts.UsageChunk(7, 400) + "data: [DONE]\n\n");
        });
        var id = await LeaveAfterTheFirstLineAsync(shop);
        left.SetResult();
        var record = await shop.Member.RecordAsync(id);

        Assert.Equal(
            ("abandoned", 0, 7, 400, false, 0.004m),
            (record.Text("outcome"), record.GetProperty("statusCode").GetInt32(), record.GetProperty("inputTokens").GetInt32(), record.GetProperty("outputTokens").GetInt32(), record.GetProperty("usageCounted").GetBoolean(), record.GetProperty("cost").GetDecimal()));
        Assert.False(Assert.Single(shop.Seen).Left.IsCompleted);
    }

    [Fact]
    public async Task A_whole_answer_whose_caller_left_is_awaited_and_charged_by_the_providers_figures()
    {
        using var shop = await OpenAsync(async call =>
        {
            await Task.Delay(BetweenChunks * Chunks, call.Http.RequestAborted);
            await ProviderScripts.Chat("Late", 7, 400)(call);
        });
        using var leave = new CancellationTokenSource();
        var calling = shop.Client.SendAsync(new HttpRequestMessage(HttpMethod.Post, "/v1/chat/completions") { Content = Json.Content(shop.Body()) }, leave.Token);
        await Until.TrueAsync(() => shop.Seen.Count == 1);
        await leave.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => calling);

        var record = await shop.Member.RecordAsync(Guid.Parse(shop.Seen[0].Headers["x-request-id"]));

        Assert.Equal(("abandoned", 0, 400, 0.004m), (record.Text("outcome"), record.GetProperty("statusCode").GetInt32(), record.GetProperty("outputTokens").GetInt32(), record.GetProperty("cost").GetDecimal()));
        Assert.Single(shop.Seen);
    }

    [Fact]
    public async Task Nothing_is_tried_again_for_a_caller_who_left()
    {
        using var shop = await OpenAsync(async call =>
        {
            await Task.Delay(BetweenChunks * Chunks, call.Http.RequestAborted);
            await ProviderScripts.Fail(503)(call);
        });
        using var leave = new CancellationTokenSource();
        var calling = shop.Client.SendAsync(new HttpRequestMessage(HttpMethod.Post, "/v1/chat/completions") { Content = Json.Content(shop.Body()) }, leave.Token);
        await Until.TrueAsync(() => shop.Seen.Count == 1);
        await leave.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => calling);

        var record = await shop.Member.RecordAsync(Guid.Parse(shop.Seen[0].Headers["x-request-id"]));

        Assert.Equal(("failed", 0m), (record.Text("outcome"), record.GetProperty("cost").GetDecimal()));
        Assert.Single(shop.Seen);
    }

    [Fact]
    public async Task A_drained_stream_is_still_bounded_by_its_time_outs()
    {
        using var shop = await OpenAsync(
            async call =>
            {
                await ProviderScripts.BeginStreamAsync(call);
                await ProviderScripts.SendAsync(call, ProviderScripts.Chunk("12345678"));
                await Task.Delay(Timeout.Infinite, call.Http.RequestAborted);
            },
            idleMs: 2_000);
        var id = await LeaveAfterTheFirstLineAsync(shop);
        var record = await shop.Member.RecordAsync(id);

        Assert.Equal(("abandoned", true, 2), (record.Text("outcome"), record.GetProperty("usageCounted").GetBoolean(), record.GetProperty("outputTokens").GetInt32()));
        Assert.Equal("idle-timeout", record.GetProperty("attempts")[0].Text("error"));
    }

    private static async Task<Guid> LeaveAfterTheFirstLineAsync(Shop shop)
    {
        using var client = new HttpClient(new SocketsHttpHandler { ResponseDrainTimeout = TimeSpan.Zero }) { BaseAddress = shop.Client.BaseAddress }; // Hangs up at once, instead of reading on for a while.
        client.DefaultRequestHeaders.Authorization = shop.Client.DefaultRequestHeaders.Authorization;
        using var answer = await shop.StreamAsync(client: client);
        using var reader = new StreamReader(await answer.Content.ReadAsStreamAsync());
        await reader.ReadLineAsync();
        return answer.RequestId();
    }

    private Task<Shop> OpenAsync(Func<ReceivedCall, Task> script, int? idleMs = null) => Shop.OpenAsync(
        marketplace, script, Prices.PerMillionTokens(0m, 10m), endpoint: endpoint => endpoint with { WhenCallerLeaves = WhenCallerLeaves.Drain, Timeouts = new EndpointTimeouts(null, null, idleMs, null) });
}
