using System.Net;
using LlmMarketplace.Consumption.Metering;
using LlmMarketplace.Servers;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using Xunit;

namespace LlmMarketplace.Consumption.Tests.Serving;

/// <summary>An instance that is asked to stop while calls run.</summary>
public sealed class StoppingTests(Marketplace marketplace)
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);

    [Fact]
    public async Task It_is_unready_and_refuses_new_calls_while_those_under_way_run_to_their_end()
    {
        await using var instance = await marketplace.StartInstanceAsync(settings: new KeyValuePair<string, string?>("Calls:DrainFor", "00:05:00"));
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var shop = await Shop.OpenAsync(marketplace, async call =>
        {
            await ProviderScripts.BeginStreamAsync(call);
            await ProviderScripts.SendAsync(call, ProviderScripts.Chunk("12345678"));
            await gate.Task.WaitAsync(call.Http.RequestAborted);
            await ProviderScripts.SendAsync(call, ProviderScripts.UsageChunk(7, 40) + "data: [DONE]\n\n");
        });
        using var client = await ClientAsync(instance, shop);
        using var running = await shop.StreamAsync(client: client);
        var epoch = instance.App.Services.GetRequiredService<InstanceLease>().InstanceId;

        var stopping = instance.App.StopAsync();

        await Until.TrueAsync(async () => (await (await instance.Client.GetAsync("/health/ready")).Content.ReadAsStringAsync()).Contains("This instance is stopping.", StringComparison.Ordinal));
        using var refused = await shop.ChatAsync(client: client, isShipped: false);
        Assert.Equal(new OpenAiError(503, "server_error", "stopping", null), await refused.ErrorAsync());
        Assert.Equal(("1", true), (refused.Header("retry-after"), refused.Headers.ConnectionClose));
        using var message = await client.PostJsonAsync("/v1/messages", shop.Body(Shop.Hello + ",\"max_tokens\":10"));
        Assert.Equal(HttpStatusCode.ServiceUnavailable, message.StatusCode);
        Assert.Equal("overloaded_error", (await message.JsonAsync()).GetProperty("error").Text("type"));
        Assert.False(stopping.IsCompleted);

        gate.SetResult();
        Assert.EndsWith("data: [DONE]\n\n", await running.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        await stopping.WaitAsync(Patience);
        Assert.Equal(["Completed 40"], await RecordsAsync(shop));
        Assert.Equal("ended, 0 organisations left", await InstanceAsync(epoch)); // At once: nobody takes it for dead, or builds counters anew.
    }

    [Fact]
    public async Task What_runs_longer_ends_with_the_error_of_its_protocol_and_is_billed_for_what_was_delivered_before_the_process_ends()
    {
        await using var instance = await marketplace.StartInstanceAsync();
        using var shop = await Shop.OpenAsync(
            marketplace,
            async call =>
            {
                await ProviderScripts.BeginStreamAsync(call);
                await ProviderScripts.SendAsync(call, ProviderScripts.Chunk("12345678"));
                while (call.Body.Contains("flood", StringComparison.Ordinal))
                {
                    await ProviderScripts.SendAsync(call, ProviderScripts.Chunk(new string('x', 100_000)));
                }

                await Task.Delay(Timeout.Infinite, call.Http.RequestAborted);
            },
            Prices.PerMillionTokens(0m, 10m));
        using var silent = await Shop.OpenAsync(marketplace, call => Task.Delay(Timeout.Infinite, call.Http.RequestAborted));
        using var client = await ClientAsync(instance, shop);
        using var other = await ClientAsync(instance, silent);
        using var chat = await shop.StreamAsync(client: client);
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/messages") { Content = Json.Content(shop.Body(Shop.Hello + ",\"max_tokens\":10,\"stream\":true")) };
        using var messages = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        using var unread = await shop.StreamAsync("\"messages\":[{\"role\":\"user\",\"content\":\"flood\"}]", client);
        var whole = silent.ChatAsync(client: other, isShipped: false);
        await Until.TrueAsync(() => silent.Seen.Count == 1);

        await instance.App.StopAsync().WaitAsync(Patience);

        var records = await RecordsAsync(shop);
        Assert.Equal((3, 2), (records.Count(record => record.StartsWith("Cut ", StringComparison.Ordinal)), records.Count(record => record == "Cut 2")));
        Assert.Equal(["Failed 0"], await RecordsAsync(silent));
        var text = await chat.Content.ReadAsStringAsync();
        Assert.Contains("\"code\":\"stopping\"", text, StringComparison.Ordinal);
        Assert.DoesNotContain("[DONE]", text, StringComparison.Ordinal);
        text = await messages.Content.ReadAsStringAsync();
        Assert.Contains("event: error\n", text, StringComparison.Ordinal);
        Assert.Contains("overloaded_error", text, StringComparison.Ordinal);
        Assert.DoesNotContain("message_stop", text, StringComparison.Ordinal);
        using var refused = await whole;
        Assert.Equal((503, "stopping"), ((await refused.ErrorAsync()).Status, (await refused.ErrorAsync()).Code));
        await Task.WhenAll(shop.Seen.Concat(silent.Seen).Select(call => call.Left)).WaitAsync(Patience);
        Assert.Equal(0, (await (await shop.Client.GetAsync("/v1/key")).JsonAsync()).GetProperty("key").GetProperty("open_calls").GetInt64());
    }

    private static async Task<HttpClient> ClientAsync(TestService instance, Shop shop)
    {
        var client = shop.Key.Client(instance);
        await Until.TrueAsync(async () => (await client.GetAsync($"/v1/models/{shop.Model}")).IsSuccessStatusCode);
        return client;
    }

    private async Task<string> InstanceAsync(Guid epoch)
    {
        await using var database = NpgsqlDataSource.Create(marketplace.Database.SuperuserConnectionString);
        await using var select = database.CreateCommand(
            "SELECT CASE WHEN ended_at IS NULL THEN 'lives' ELSE 'ended' END || ', ' || (SELECT count(*) FROM instance_organisations o WHERE o.instance_id = i.instance_id) || ' organisations left' FROM instances i WHERE instance_id = $1");
        select.Parameters.Add(new NpgsqlParameter { Value = epoch });
        return (string)(await select.ExecuteScalarAsync())!;
    }

    /// <summary>Outcome and output tokens of each record that is in the database now.</summary>
    private async Task<IReadOnlyList<string>> RecordsAsync(Shop shop)
    {
        await using var database = NpgsqlDataSource.Create(marketplace.Database.SuperuserConnectionString);
        await using var select = database.CreateCommand("SELECT outcome || ' ' || output_tokens FROM usage_records WHERE organisation_id = $1");
        select.Parameters.Add(new NpgsqlParameter { Value = shop.Member.Id });
        var records = new List<string>();
        await using var reader = await select.ExecuteReaderAsync();
        while (await reader.ReadAsync())
        {
            records.Add(reader.GetString(0));
        }

        return records;
    }
}
