using LlmMarketplace.Consumption.Budgets;
using LlmMarketplace.Consumption.Limits;
using LlmMarketplace.Consumption.Tests.Metering;
using LlmMarketplace.Servers;
using Xunit;

namespace LlmMarketplace.Consumption.Tests.Limits;

public sealed class CallLimitsOnGarnetTests(Marketplace marketplace) : CallLimitsSpecification(marketplace)
{
    protected override Task<string> RedisAsync() => Marketplace.Redis.GarnetAsync();
}

public sealed class CallLimitsOnRedisTests(Marketplace marketplace) : CallLimitsSpecification(marketplace)
{
    protected override Task<string> RedisAsync()
    {
        Assert.SkipUnless(RedisServers.RedisServerSkipReason is null, RedisServers.RedisServerSkipReason ?? "");
        return Marketplace.Redis.RedisServerAsync();
    }
}

public abstract class CallLimitsSpecification(Marketplace marketplace)
{
    private static readonly KeyValuePair<string, string?>[] Impatient = [new("Limits:Timeout", "00:00:01"), new("Limits:TripTimeout", "00:00:00.200")];

    protected Marketplace Marketplace => marketplace;

    protected abstract Task<string> RedisAsync();

    [Fact]
    public async Task A_burst_over_two_instances_is_admitted_exactly_as_far_as_the_budget_goes()
    {
        await using var world = await WorldAsync();
        world.OrganisationAccount = world.OrganisationAccount with { Budget = LimitsWorld.Nanos(5_000) };
        CallLimits[] instances = [await world.InstanceAsync(), await world.InstanceAsync()];
        foreach (var instance in instances)
        {
            var first = world.Ask();
            await instance.ReserveAsync(first, CancellationToken.None); // Counters that are built meanwhile know only calls whose admission is noted.
            instance.GiveBack(first);
        }

        var answers = await Task.WhenAll(Enumerable.Range(0, 1_000).Select(i => instances[i % 2].ReserveAsync(world.Ask(nanos: 10), CancellationToken.None)));

        Assert.Equal(500, answers.Count(answer => answer.Status == LimitStatus.Admitted));
        Assert.All(answers, answer => Assert.True(answer.Status == LimitStatus.Admitted || (answer is { Status: LimitStatus.Budget, Account: LimitedAccount.Organisation, Left: 0 })));
        await Until.TrueAsync(async () => (await world.StateAsync()) is { Spent: 5_000, Open: 500 });
    }

    [Fact]
    public async Task Calls_that_wait_together_travel_together()
    {
        await using var world = await WorldAsync();
        await using var proxy = HoldingProxy.Before(await RedisAsync());
        var limits = await world.InstanceAsync(proxy.ConnectionString, new KeyValuePair<string, string?>("Limits:TripTimeout", "00:00:30"), new("Limits:Timeout", "00:00:30"));
        await limits.ReserveAsync(world.Ask(), CancellationToken.None);

        proxy.HoldAnswers();
        var before = proxy.Scripts;
        var first = limits.ReserveAsync(world.Ask(), CancellationToken.None);
        await Until.TrueAsync(() => proxy.Scripts > before);
        var others = Enumerable.Range(0, 128).Select(_ => limits.ReserveAsync(world.Ask(), CancellationToken.None)).ToArray();
        proxy.Release();
        await Task.WhenAll([first, .. others]);

        Assert.Equal(before + 3, proxy.Scripts); // One, then 64 twice.
        Assert.Equal(130, (await world.StateAsync()).Open);
    }

    [Fact]
    public async Task An_answer_that_is_held_back_is_asked_for_again_and_reserves_once()
    {
        await using var world = await WorldAsync();
        world.OrganisationAccount = world.OrganisationAccount with { Budget = LimitsWorld.Nanos(100) };
        await using var proxy = HoldingProxy.Before(await RedisAsync());
        var limits = await world.InstanceAsync(proxy.ConnectionString, new KeyValuePair<string, string?>("Limits:TripTimeout", "00:00:00.100"), new("Limits:Timeout", "00:00:30"));
        await limits.ReserveAsync(world.Ask(nanos: 10), CancellationToken.None);

        proxy.HoldAnswers();
        var before = proxy.Scripts;
        var held = limits.ReserveAsync(world.Ask(nanos: 70), CancellationToken.None);
        await Until.TrueAsync(() => proxy.Scripts >= before + 3);
        Assert.False(held.IsCompleted);
        proxy.Release();

        Assert.Equal(LimitStatus.Admitted, (await held).Status);
        var state = await world.StateAsync();
        Assert.Equal((80, 2), (state.Spent, state.Open));
    }

    [Fact]
    public async Task A_call_given_up_because_its_answer_was_held_back_gets_all_back()
    {
        await using var world = await WorldAsync();
        await using var proxy = HoldingProxy.Before(await RedisAsync());
        var limits = await world.InstanceAsync(proxy.ConnectionString, Impatient);
        await AdmittedAsync(limits, world, 10);

        proxy.HoldAnswers();
        await Assert.ThrowsAsync<LimitsUnavailableException>(() => limits.ReserveAsync(world.Ask(nanos: 70), CancellationToken.None));
        proxy.Release();

        await Until.TrueAsync(async () => (await world.StateAsync()) is { Spent: 10, Open: 1 });
        await Until.TrueAsync(async () => await world.OpenAsync() == 1); // No trace is left either.
    }

    [Fact]
    public async Task An_admission_that_arrives_after_its_deadline_changes_nothing()
    {
        await using var world = await WorldAsync();
        await using var proxy = HoldingProxy.Before(await RedisAsync());
        var limits = await world.InstanceAsync(proxy.ConnectionString, Impatient);
        await AdmittedAsync(limits, world, 10);

        proxy.HoldRequests();
        await Assert.ThrowsAsync<LimitsUnavailableException>(() => limits.ReserveAsync(world.Ask(nanos: 70), CancellationToken.None));
        proxy.Release();

        await AdmittedAsync(limits, world, 5); // Behind all that was held.
        await Until.TrueAsync(async () => (await world.StateAsync()) is { Spent: 15, Open: 2 });
    }

    [Fact]
    public async Task The_script_itself_refuses_what_comes_after_its_deadline()
    {
        await using var world = await WorldAsync();
        var limits = await world.InstanceAsync();
        var known = await limits.ReserveAsync(world.Ask(), CancellationToken.None);
        var scripts = world.Of<LimitScripts>();
        var now = await scripts.TimeAsync(world.Organisation);

        var late = await scripts.RunAsync(world.Organisation, known.Generation, [], [(world.Ask(nanos: 70), now - 1), (world.Ask(nanos: 7), now + 60_000_000)]);

        Assert.Equal([LimitStatus.Late, LimitStatus.Admitted], late.Answers.Select(answer => answer.Status));
        Assert.Equal((7, 2), ((await world.StateAsync()).Spent, (await world.StateAsync()).Open));
    }

    [Fact]
    public async Task Settings_older_than_those_told_admit_nothing()
    {
        await using var world = await WorldAsync();
        var limits = await world.InstanceAsync();
        await limits.ReserveAsync(world.Ask(), CancellationToken.None);
        await world.Of<LimitScripts>().RaiseVersionAsync(world.Organisation, world.KeyAccount.Field, 3);
        await world.Of<LimitScripts>().RaiseVersionAsync(world.Organisation, world.KeyAccount.Field, 2); // Told late: the higher one stays.

        Assert.Equal(LimitStatus.Stale, (await limits.ReserveAsync(world.Ask(nanos: 5), CancellationToken.None)).Status);
        await world.Of<Counters>().RebuildAsync(world.Organisation, CancellationToken.None);
        Assert.Equal(LimitStatus.Stale, (await limits.ReserveAsync(world.Ask(nanos: 5), CancellationToken.None)).Status);
        world.SetKey(key => key with { Version = 3 });
        Assert.Equal(LimitStatus.Admitted, (await limits.ReserveAsync(world.Ask(nanos: 7), CancellationToken.None)).Status);
        Assert.Equal(7, (await world.StateAsync()).Spent);
    }

    [Fact]
    public async Task A_copy_that_arrives_when_the_call_is_settled_already_reserves_nothing()
    {
        await using var world = await WorldAsync();
        var limits = await world.InstanceAsync();
        var asked = world.Ask(tokens: 5, nanos: 70);
        var answer = await limits.ReserveAsync(asked, CancellationToken.None);
        var (scripts, later) = (world.Of<LimitScripts>(), await world.Of<LimitScripts>().TimeAsync(world.Organisation) + 60_000_000);

        var settled = await scripts.RunAsync(world.Organisation, answer.Generation, [new Release(asked.Call, asked.Key.Field, 3, 50, later)], []);
        var copy = await scripts.RunAsync(world.Organisation, answer.Generation, [], [(asked, later)]);

        Assert.True(settled.Traces.Single());
        Assert.Equal(LimitStatus.Late, copy.Answers.Single().Status);
        Assert.Equal((50, 0), ((await world.StateAsync()).Spent, (await world.StateAsync()).Open));
        await scripts.RunAsync(world.Organisation, answer.Generation, [new Release(asked.Call, asked.Key.Field, 0, 0)], []);
        Assert.Equal(0, await world.OpenAsync());
        Assert.Equal(50, (await world.StateAsync()).Spent);
    }

    [Fact]
    public async Task A_settlement_replaces_the_reservation_by_what_was_used_and_repeating_it_changes_nothing()
    {
        await using var world = await WorldAsync();
        world.SetKey(key => key with { Budget = LimitsWorld.Nanos(100) });
        var limits = await world.InstanceAsync();
        var asked = world.Ask(tokens: 40, nanos: 90);
        var row = world.Row(asked, await limits.ReserveAsync(asked, CancellationToken.None));

        limits.Settle(row, tokens: 3, nanos: 31);
        limits.Settle(row, tokens: 3, nanos: 31);
        limits.Settle(world.Row(world.Ask(tokens: 9, nanos: 9), default), tokens: 9, nanos: 9); // Never reserved.

        var next = await limits.ReserveAsync(world.Ask(tokens: 1, nanos: 69), CancellationToken.None); // The settlements travel before it.
        Assert.Equal(LimitStatus.Admitted, next.Status);
        Assert.Equal(0, next.BudgetLeft);
        var (organisation, key) = (await world.StateAsync(), await world.StateAsync(world.KeyAccount.Field));
        Assert.Equal((100, 4, 1), (organisation.Spent, organisation.TokensOfMonth, organisation.Open));
        Assert.Equal((100, 4, 1), (key.Spent, key.TokensOfMonth, key.Open));
    }

    [Fact]
    public async Task A_settlement_travels_by_itself_when_no_call_follows()
    {
        await using var world = await WorldAsync();
        var limits = await world.InstanceAsync();
        var asked = world.Ask(nanos: 90);

        limits.Settle(world.Row(asked, await limits.ReserveAsync(asked, CancellationToken.None)), tokens: 0, nanos: 31);

        await Until.TrueAsync(async () => (await world.StateAsync()) is { Spent: 31, Open: 0 });
    }

    [Fact]
    public async Task A_settlement_returns_to_the_period_of_its_admission()
    {
        await using var world = await WorldAsync();
        var limits = await world.InstanceAsync();
        var asked = world.Ask(tokens: 40, nanos: 90);
        var answer = await limits.ReserveAsync(asked, CancellationToken.None);
        var database = await world.DirectAsync();
        // As if the call had been admitted in another month.
        var value = ((string)(await database.HashGetAsync(LimitScripts.OpenKeyOf(world.Organisation), asked.Call.ToString("N")))!).Split(' ');
        value[1] = "20200131";
        await database.HashSetAsync(LimitScripts.OpenKeyOf(world.Organisation), asked.Call.ToString("N"), string.Join(' ', value));

        limits.Settle(world.Row(asked, answer), tokens: 10, nanos: 30);

        await Until.TrueAsync(async () => (await world.StateAsync()).Open == 0);
        var state = await world.StateAsync();
        Assert.Equal((90, 90, 30, 40), (state.SpentOfDay, state.SpentOfMonth, state.Spent, state.TokensOfMonth));
    }

    [Fact]
    public async Task Each_limit_of_the_key_refuses_by_its_name_and_says_what_is_left()
    {
        await using var world = await WorldAsync();
        var limits = await world.InstanceAsync();
        var plain = world.KeyAccount;
        await limits.ReserveAsync(world.Ask(tokens: 10, nanos: 10), CancellationToken.None);

        await RefusedAsync(plain with { Budget = LimitsWorld.Nanos(25) }, LimitStatus.Budget, left: 15);
        await RefusedAsync(plain with { TokensPerMonth = 25 }, LimitStatus.MonthlyTokens, left: 15);
        await RefusedAsync(plain with { ConcurrentCalls = 1 }, LimitStatus.Concurrency, left: 0);
        await RefusedAsync(plain with { TokensPerMinute = 19 }, LimitStatus.Tokens, left: 19);
        Assert.Equal((10, 1), ((await world.StateAsync()).Spent, (await world.StateAsync()).Open));

        async Task RefusedAsync(Account key, LimitStatus status, long left)
        {
            world.SetKey(_ => key);
            var answer = await limits.ReserveAsync(world.Ask(tokens: 20, nanos: 20), CancellationToken.None);
            Assert.Equal((status, LimitedAccount.Key, left), (answer.Status, answer.Account, answer.Left));
        }
    }

    [Fact]
    public async Task A_key_s_request_rate_admits_its_burst_and_says_when_to_come_back()
    {
        await using var world = await WorldAsync();
        world.SetKey(key => key with { RequestsPerMinute = 3, Burst = 3 });
        var limits = await world.InstanceAsync();

        var answers = new List<LimitAnswer>();
        for (var i = 0; i < 4; i++)
        {
            answers.Add(await limits.ReserveAsync(world.Ask(), CancellationToken.None));
        }

        Assert.Equal([2L, 1L, 0L, 0L], answers.Select(answer => answer.Requests.Remaining));
        Assert.Equal((LimitStatus.Requests, LimitedAccount.Key, 3L), (answers[3].Status, answers[3].Account, answers[3].Requests.Limit));
        Assert.InRange(answers[3].Wait, TimeSpan.FromMilliseconds(1), TimeSpan.FromSeconds(20));
    }

    [Fact]
    public async Task Who_leaves_while_waiting_leaves_nothing_reserved()
    {
        await using var world = await WorldAsync();
        await using var proxy = HoldingProxy.Before(await RedisAsync());
        var limits = await world.InstanceAsync(proxy.ConnectionString, new KeyValuePair<string, string?>("Limits:TripTimeout", "00:00:30"), new("Limits:Timeout", "00:00:30"));
        await limits.ReserveAsync(world.Ask(nanos: 10), CancellationToken.None);
        using var leaving = new CancellationTokenSource();

        proxy.HoldAnswers();
        var before = proxy.Scripts;
        var sent = limits.ReserveAsync(world.Ask(nanos: 70), leaving.Token);
        await Until.TrueAsync(() => proxy.Scripts > before);
        var waiting = limits.ReserveAsync(world.Ask(nanos: 70), leaving.Token);
        await leaving.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => sent);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);
        proxy.Release();

        await Until.TrueAsync(async () => (await world.StateAsync()) is { Spent: 10, Open: 1 });
    }

    [Fact]
    public async Task More_than_may_wait_are_refused_at_once()
    {
        await using var world = await WorldAsync();
        await using var proxy = HoldingProxy.Before(await RedisAsync());
        var limits = await world.InstanceAsync(
            proxy.ConnectionString, new KeyValuePair<string, string?>("Limits:MaxWaiting", "3"), new("Limits:TripTimeout", "00:00:30"), new("Limits:Timeout", "00:00:30"));
        await limits.ReserveAsync(world.Ask(), CancellationToken.None);

        proxy.HoldAnswers();
        var waiting = Enumerable.Range(0, 4).Select(_ => limits.ReserveAsync(world.Ask(), CancellationToken.None)).ToArray(); // One travels, three wait.
        await Assert.ThrowsAsync<LimitsUnavailableException>(() => limits.ReserveAsync(world.Ask(), CancellationToken.None));
        proxy.Release();

        Assert.All(await Task.WhenAll(waiting), answer => Assert.Equal(LimitStatus.Admitted, answer.Status));
    }

    [Fact]
    public async Task Counters_that_are_lost_come_back_from_the_records_with_the_open_calls_and_settle_exactly()
    {
        await using var world = await WorldAsync();
        world.OrganisationAccount = world.OrganisationAccount with { Budget = LimitsWorld.Nanos(1_000, BudgetPeriod.Month) };
        var limits = await world.InstanceAsync();
        var asked = world.Ask(tokens: 40, nanos: 90);
        var row = world.Row(asked, await limits.ReserveAsync(asked, CancellationToken.None));
        Assert.True(world.Of<Consumption.Metering.IAdmissionLog>().Admit(row));

        await (await world.DirectAsync()).KeyDeleteAsync([LimitScripts.KeyOf(world.Organisation), LimitScripts.OpenKeyOf(world.Organisation)]);
        var next = await limits.ReserveAsync(world.Ask(tokens: 1, nanos: 10), CancellationToken.None);
        Assert.Equal((LimitStatus.Admitted, 900), (next.Status, next.BudgetLeft));
        Assert.Equal((100, 2), ((await world.StateAsync()).Spent, (await world.StateAsync()).Open));
        await world.Of<Consumption.Metering.IAdmissionLog>().SettleAsync(new(row, Records.Of(row, output: 1, cost: 0.000000009m)));

        await Until.TrueAsync(async () => (await world.StateAsync()) is { Spent: 19, TokensOfMonth: 5, Open: 1 });
    }

    [Fact]
    public async Task A_call_that_was_told_while_counters_were_built_counts_once_when_its_record_is_there()
    {
        await using var world = await WorldAsync();
        var limits = await world.InstanceAsync();
        var asked = world.Ask(nanos: 90);
        var row = world.Row(asked, await limits.ReserveAsync(asked, CancellationToken.None));
        Assert.True(world.Of<Consumption.Metering.OpenCalls>().TryOpen(row, () => { })); // PostgreSQL hears of it by the telling alone.
        await world.Of<Counters>().RebuildAsync(world.Organisation, CancellationToken.None);

        await world.Of<Consumption.Metering.IAdmissionLog>().SettleAsync(new(row, Records.Of(row, cost: 0.000000009m)));
        await Until.TrueAsync(() => !world.Of<Consumption.Metering.OpenCalls>().HasUnshipped(world.Organisation));
        await world.Of<Counters>().RebuildAsync(world.Organisation, CancellationToken.None);

        Assert.Equal((9, 0), ((await world.StateAsync()).Spent, (await world.StateAsync()).Open));
    }

    /// <summary>On a loaded machine an impatient instance gives calls up: until one is admitted.</summary>
    private static Task AdmittedAsync(CallLimits limits, LimitsWorld world, long nanos) => Until.TrueAsync(async () =>
    {
        try
        {
            return (await limits.ReserveAsync(world.Ask(nanos: nanos), CancellationToken.None)).Status == LimitStatus.Admitted;
        }
        catch (LimitsUnavailableException)
        {
            return false; // What it may have reserved is given back.
        }
    });

    private async Task<LimitsWorld> WorldAsync() => new(marketplace, await RedisAsync());
}
