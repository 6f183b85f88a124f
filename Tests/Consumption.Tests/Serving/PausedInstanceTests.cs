using LlmMarketplace.Consumption.Tests.Surfaces;
using LlmMarketplace.Embedded;
using LlmMarketplace.Servers;
using Npgsql;
using Xunit;

namespace LlmMarketplace.Consumption.Tests.Serving;

/// <summary>A process that serves calls, stopped by SIGSTOP for longer than others wait for it, and let go on by SIGCONT.</summary>
public sealed class PausedInstanceTests(Marketplace marketplace)
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);

    [Fact]
    public async Task A_paused_process_is_given_up_and_when_it_goes_on_its_streams_end_without_another_byte_and_nothing_is_doubled()
    {
        using var logs = new TestDirectory("paused-usage-log");
        var port = FreePort.Choose();
        var settings = await marketplace.SettingsAsync();
        foreach (var (name, value) in marketplace.Identity.Settings.Concat(Own(port, logs.Path)))
        {
            settings[name] = value;
        }

        await using var gateway = new HostProcess("Gateway", settings);
        await gateway.StartAsync();
        var paused = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var shop = await Shop.OpenAsync(
            marketplace,
            async call =>
            {
                await ProviderScripts.BeginStreamAsync(call);
                await ProviderScripts.SendAsync(call, ProviderScripts.Chunk("12345678"));
                await paused.Task.WaitAsync(call.Http.RequestAborted);
                await ProviderScripts.SendAsync(call, ProviderScripts.Chunk("after the pause") + ProviderScripts.UsageChunk(5, 400) + "data: [DONE]\n\n");
            },
            Prices.PerMillionTokens(0m, 10m),
            key: new { name = "test", budget = new { amount = 1, currency = "USD", period = "total" } });
        using var client = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{port}") };
        client.DefaultRequestHeaders.Authorization = shop.Client.DefaultRequestHeaders.Authorization;
        await Until.TrueAsync(async () => (await client.GetAsync($"/v1/models/{shop.Model}")).IsSuccessStatusCode);
        HttpResponseMessage? begun = null;
        await Until.TrueAsync(async () =>
        {
            begun?.Dispose();
            begun = await shop.StreamAsync(client: client); // Refused until its log is open and it holds a lease.
            return begun.IsSuccessStatusCode;
        });
        using var answer = begun!;
        using var reader = new StreamReader(await answer.Content.ReadAsStreamAsync());
        Assert.Equal(ProviderScripts.Chunk("12345678").TrimEnd(), await reader.ReadLineAsync());
        var id = answer.RequestId();
        await Until.TrueAsync(async () => await CountAsync("SELECT count(*) FROM admissions WHERE request_id = $1", id) == 1);

        await gateway.PauseAsync();
        paused.SetResult(); // The rest of the answer lies in the paused process's socket.
        Assert.Equal("lost", (await shop.Member.RecordAsync(id)).Text("outcome"));
        gateway.Continue();

        var rest = new List<string>();
        var broken = await Record.ExceptionAsync(async () =>
        {
            while (await reader.ReadLineAsync().WaitAsync(Patience) is { } line)
            {
                rest.Add(line);
            }
        });
        Assert.True(broken is not null, $"It ended as a whole answer does, after: {string.Join(" | ", rest)}; the process wrote: {string.Join('\n', gateway.Process!.LastLines)}");
        Assert.DoesNotContain(rest, line => line.Length > 0);

        // What it knows of the call corrects the record, and is no second one.
        var corrected = await Record.ExceptionAsync(() => Until.TrueAsync(async () => (await shop.Member.RecordAsync(id)).GetProperty("revision").GetInt32() == 2));
        Assert.True(corrected is null, $"The record was not corrected ({corrected?.Message}); the process wrote: {string.Join('\n', gateway.Process!.LastLines)}");
        var record = await shop.Member.RecordAsync(id);
        Assert.Equal(("cut", 2, 0.00002m), (record.Text("outcome"), record.GetProperty("outputTokens").GetInt32(), record.GetProperty("cost").GetDecimal()));
        Assert.Equal((1, 0.00002m), await shop.TotalAsync());
        Assert.Equal(2, await CountAsync("SELECT count(*) FROM messaging.outbox WHERE key = $1", id)); // Settled as lost, and corrected.
        Assert.Single(shop.Seen);
        await Until.TrueAsync(async () => await StandingAsync(client) == (0, 0.00002m));
    }

    private static Dictionary<string, string?> Own(int port, string logs) => new()
    {
        ["ASPNETCORE_URLS"] = $"http://127.0.0.1:{port}",
        ["Messaging:Transport"] = "Feed",
        ["Metering:LogDirectory"] = logs,
        ["services:publishing:http:0"] = "http://127.0.0.1:9",
        ["services:discovery:http:0"] = "http://127.0.0.1:9",
        ["services:admin:http:0"] = "http://127.0.0.1:9",
        ["services:consumption:http:0"] = "http://127.0.0.1:9",
    };

    private static async Task<(long Open, decimal Spent)> StandingAsync(HttpClient client)
    {
        var shown = (await (await client.GetAsync("/v1/key")).JsonAsync()).GetProperty("key");
        return (shown.GetProperty("open_calls").GetInt64(), shown.GetProperty("budget").GetProperty("spent").GetDecimal());
    }

    private async Task<long> CountAsync(string sql, Guid requestId)
    {
        await using var database = NpgsqlDataSource.Create(marketplace.Database.SuperuserConnectionString);
        await using var count = database.CreateCommand(sql);
        count.Parameters.Add(new NpgsqlParameter { Value = requestId });
        return (long)(await count.ExecuteScalarAsync())!;
    }
}
