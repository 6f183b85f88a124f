using System.Net.Http.Json;
using LlmMarketplace.Consumption.Limits;
using LlmMarketplace.Consumption.Metering;
using LlmMarketplace.Consumption.Tests.Limits;
using LlmMarketplace.Servers;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using Xunit;

namespace LlmMarketplace.Consumption.Tests.Metering;

/// <summary>Instances that come and go while calls are open.</summary>
public sealed class EpochTests(Marketplace marketplace)
{
    [Fact]
    public async Task An_instance_that_was_declared_ended_ends_its_streams_and_what_it_delivered_corrects_the_lost_record()
    {
        var goOn = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        marketplace.Provider.AnswerBelow("fenced", async call =>
        {
            await ProviderScripts.BeginStreamAsync(call);
            await ProviderScripts.SendAsync(call, ProviderScripts.Chunk("one"));
            await goOn.Task;
            await ProviderScripts.SendAsync(call, ProviderScripts.Chunk("two"));
            await call.Left;
        });
        var service = await marketplace.AddServiceAsync(Prices.PerMillionTokens(1m, 1_000m), url: "http://scripted.local/fenced/v1");
        var member = await marketplace.AddOrganisationAsync();
        var key = await member.CreateKeyAsync();
        await using var instance = await marketplace.StartInstanceAsync();
        var lease = instance.App.Services.GetRequiredService<InstanceLease>();
        var epoch = lease.InstanceId;
        using var client = key.Client(instance);
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/chat/completions")
        {
            Content = JsonContent.Create(new { model = $"acme/{service.Name}", stream = true, messages = new[] { new { role = "user", content = "hello" } } }),
        };
        using var answer = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        var call = Guid.Parse(answer.Headers.GetValues("x-request-id").Single());
        using var body = new StreamReader(await answer.Content.ReadAsStreamAsync());
        Assert.Contains("one", await body.ReadLineAsync(), StringComparison.Ordinal);
        await Until.TrueAsync(async () => await CountAsync("SELECT count(*) FROM admissions WHERE request_id = $1", call) == 1);

        await CountAsync("WITH ended AS (UPDATE instances SET ended_at = now() WHERE instance_id = $1 RETURNING 1) SELECT count(*) FROM ended", epoch);
        Assert.Equal("lost", (await member.RecordAsync(call)).GetProperty("outcome").GetString());
        await Until.TrueAsync(() => lease.Leased && lease.InstanceId != epoch);
        goOn.SetResult();

        await Assert.ThrowsAnyAsync<IOException>(body.ReadToEndAsync);
        await Until.TrueAsync(async () => (await member.RecordAsync(call)).GetProperty("revision").GetInt32() == 2);
        var record = await member.RecordAsync(call);
        Assert.Equal("cut", record.GetProperty("outcome").GetString());
        Assert.Equal(1, record.GetProperty("outputTokens").GetInt64()); // "one": what came after the fence was not delivered.
        Assert.Equal(record.GetProperty("cost").GetDecimal(), (await member.UsageAsync()).GetProperty("total").GetProperty("cost").GetDecimal());
    }

    [Fact]
    public async Task Counters_that_are_lost_come_back_from_the_records_and_from_what_every_instance_tells()
    {
        await using var world = new LimitsWorld(marketplace, (await marketplace.SettingsAsync())["ConnectionStrings:redis"]!);
        CallLimits[] limits = [await world.InstanceAsync(), await world.InstanceAsync()];
        var calls = new List<AdmissionRow>();
        for (var i = 0; i < 4; i++)
        {
            var asked = world.Ask(tokens: 10, nanos: 1_000) with { Instance = world.Of<InstanceLease>(i % 2).InstanceId };
            var row = world.Row(asked, await limits[i % 2].ReserveAsync(asked, CancellationToken.None));
            Assert.True(world.Of<IAdmissionLog>(i % 2).Admit(row));
            calls.Add(row);
        }

        await world.Of<IAdmissionLog>(1).SettleAsync(new Settlement(calls[1], Records.Of(calls[1], output: 1, cost: 0.000000300m)));
        await (await world.DirectAsync()).KeyDeleteAsync([LimitScripts.KeyOf(world.Organisation), LimitScripts.OpenKeyOf(world.Organisation)]);

        var next = await limits[0].ReserveAsync(world.Ask(tokens: 1, nanos: 10), CancellationToken.None);

        Assert.Equal(LimitStatus.Admitted, next.Status);
        Assert.Equal((3_310, 4), ((await world.StateAsync()).Spent, (await world.StateAsync()).Open));
        await world.Of<IAdmissionLog>(0).SettleAsync(new Settlement(calls[0], Records.Of(calls[0], cost: 0.000000001m)));
        await world.Of<IAdmissionLog>(1).SettleAsync(new Settlement(calls[3], Records.Of(calls[3], cost: 0.000000002m)));
        await Until.TrueAsync(async () => (await world.StateAsync()) is { Spent: 300 + 1 + 2 + 1_000 + 10, Open: 2 });
    }

    [Fact]
    public async Task An_instance_that_goes_on_as_another_has_the_counters_of_its_organisations_built_anew()
    {
        await using var world = new LimitsWorld(marketplace, (await marketplace.SettingsAsync())["ConnectionStrings:redis"]!);
        var limits = await world.InstanceAsync();
        var asked = world.Ask(tokens: 10, nanos: 1_000);
        var call = world.Row(asked, await limits.ReserveAsync(asked, CancellationToken.None));
        Assert.True(world.Of<IAdmissionLog>().Admit(call));
        await world.Of<IAdmissionLog>().SettleAsync(new Settlement(call, Records.Of(call, cost: 0.000000300m)));
        await Until.TrueAsync(async () => world.Of<OpenCalls>().IsEmpty && await CountAsync("SELECT count(*) FROM usage_records WHERE request_id = $1", call.RequestId) == 1);

        // As counters are that somebody built from a call's intent, just before its outcome came from an instance that was ended.
        var open = LimitScripts.OpenKeyOf(world.Organisation);
        var redis = await world.DirectAsync();
        await redis.HashSetAsync(open, call.RequestId.ToString("N"), $"{call.InstanceId:N} {call.Day} 0 10 1000 0 0");
        await CountAsync(
            "WITH ended AS (UPDATE instances SET ended_at = now() WHERE instance_id = $1 RETURNING 1), gone AS (DELETE FROM instance_organisations WHERE instance_id = $1 RETURNING 1) SELECT count(*) FROM ended",
            call.InstanceId);

        await Until.TrueAsync(async () => await redis.HashLengthAsync(open) == 0 && (await world.StateAsync()).Spent == 300);
    }

    private async Task<long> CountAsync(string sql, Guid id)
    {
        await using var connection = new NpgsqlConnection(marketplace.Database.AppConnectionString);
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(sql, connection) { Parameters = { new() { Value = id } } };
        return (long)(await command.ExecuteScalarAsync())!;
    }
}
