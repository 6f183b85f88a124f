using LlmMarketplace.Consumption.Idempotency;
using LlmMarketplace.Consumption.Limits;
using LlmMarketplace.Consumption.Metering;
using LlmMarketplace.Consumption.Tests.Limits;
using LlmMarketplace.Consumption.Tests.Metering;
using LlmMarketplace.Servers;
using Xunit;

namespace LlmMarketplace.Consumption.Tests.Idempotency;

public sealed class ClaimsOnGarnetTests(Marketplace marketplace) : ClaimSpecification(marketplace)
{
    protected override Task<string> RedisAsync() => Marketplace.Redis.GarnetAsync();
}

public sealed class ClaimsOnRedisTests(Marketplace marketplace) : ClaimSpecification(marketplace)
{
    protected override Task<string> RedisAsync()
    {
        Assert.SkipUnless(RedisServers.RedisServerSkipReason is null, RedisServers.RedisServerSkipReason ?? "");
        return Marketplace.Redis.RedisServerAsync();
    }
}

/// <summary>Claims of idempotency keys, decided by the script that reserves.</summary>
public abstract class ClaimSpecification(Marketplace marketplace)
{
    private static readonly string Body = new('b', 32);

    protected Marketplace Marketplace => marketplace;

    protected abstract Task<string> RedisAsync();

    [Fact]
    public async Task A_burst_of_one_claim_over_two_instances_admits_one_call_and_reserves_once()
    {
        await using var world = await WorldAsync();
        CallLimits[] instances = [await world.InstanceAsync(), await world.InstanceAsync()];
        foreach (var instance in instances)
        {
            var first = world.Ask();
            await instance.ReserveAsync(first, CancellationToken.None);
            instance.GiveBack(first);
        }

        var claim = NewClaim();
        var asked = Enumerable.Range(0, 400).Select(_ => world.Ask(nanos: 10) with { Claim = claim }).ToArray();
        var answers = await Task.WhenAll(asked.Select((one, i) => instances[i % 2].ReserveAsync(one, CancellationToken.None)));

        var winner = asked[Array.FindIndex(answers, answer => answer.Status == LimitStatus.Admitted)].Call;
        Assert.Equal(1, answers.Count(answer => answer.Status == LimitStatus.Admitted));
        Assert.All(answers.Where(answer => answer.Status != LimitStatus.Admitted), answer => Assert.Equal((LimitStatus.Busy, winner), (answer.Status, answer.Holder)));
        await Until.TrueAsync(async () => (await world.StateAsync()) is { Spent: 10, Open: 1 });
    }

    [Fact]
    public async Task A_claim_dies_with_its_reservation()
    {
        await using var world = await WorldAsync();
        var limits = await world.InstanceAsync();
        var claim = NewClaim();
        var failed = world.Ask(nanos: 10) with { Claim = claim };
        Assert.Equal(LimitStatus.Admitted, (await limits.ReserveAsync(failed, CancellationToken.None)).Status);

        limits.GiveBack(failed);

        Assert.Equal(LimitStatus.Admitted, (await limits.ReserveAsync(world.Ask(nanos: 20) with { Claim = claim }, CancellationToken.None)).Status);
        Assert.Equal(20, (await world.StateAsync()).Spent);
    }

    [Fact]
    public async Task A_call_that_is_refused_by_a_limit_leaves_its_claim_free()
    {
        await using var world = await WorldAsync();
        world.OrganisationAccount = world.OrganisationAccount with { Budget = LimitsWorld.Nanos(100) };
        var limits = await world.InstanceAsync();
        var claim = NewClaim();

        Assert.Equal(LimitStatus.Budget, (await limits.ReserveAsync(world.Ask(nanos: 101) with { Claim = claim }, CancellationToken.None)).Status);
        Assert.Equal(LimitStatus.Admitted, (await limits.ReserveAsync(world.Ask(nanos: 99) with { Claim = claim }, CancellationToken.None)).Status);
    }

    [Fact]
    public async Task The_same_call_asked_again_keeps_its_claim()
    {
        await using var world = await WorldAsync();
        var limits = await world.InstanceAsync();
        var asked = world.Ask(nanos: 10) with { Claim = NewClaim() };

        Assert.Equal(LimitStatus.Admitted, (await limits.ReserveAsync(asked, CancellationToken.None)).Status);
        Assert.Equal(LimitStatus.Admitted, (await limits.ReserveAsync(asked, CancellationToken.None)).Status);
        Assert.Equal((10, 1), ((await world.StateAsync()).Spent, (await world.StateAsync()).Open));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_complete_call_stands_against_all_that_follow_and_they_reserve_nothing(bool isKept)
    {
        await using var world = await WorldAsync();
        world.OrganisationAccount = world.OrganisationAccount with { Budget = LimitsWorld.Nanos(15) };
        var limits = await world.InstanceAsync();
        var claim = NewClaim();
        var first = world.Ask(nanos: 15) with { Claim = claim };
        var row = world.Row(first, await limits.ReserveAsync(first, CancellationToken.None));

        limits.Settle(row, tokens: 0, nanos: 12, new EndedClaim(claim, isKept));
        var repeat = await limits.ReserveAsync(world.Ask(nanos: 15) with { Claim = claim }, CancellationToken.None);
        var other = await limits.ReserveAsync(world.Ask(nanos: 1) with { Claim = claim with { Body = new('c', 32) } }, CancellationToken.None);

        Assert.Equal((isKept ? LimitStatus.Kept : LimitStatus.NotKept, first.Call), (repeat.Status, repeat.Holder));
        Assert.Equal((LimitStatus.OtherBody, first.Call), (other.Status, other.Holder));
        Assert.Equal((12, 0), ((await world.StateAsync()).Spent, (await world.StateAsync()).Open));
    }

    [Fact]
    public async Task Repeats_count_as_requests()
    {
        await using var world = await WorldAsync();
        world.SetKey(key => key with { RequestsPerMinute = 2, Burst = 2 });
        var limits = await world.InstanceAsync();
        var claim = NewClaim();
        var first = world.Ask() with { Claim = claim };
        var row = world.Row(first, await limits.ReserveAsync(first, CancellationToken.None));
        limits.Settle(row, 0, 0, new EndedClaim(claim, IsKept: true));

        var statuses = new List<LimitStatus>();
        for (var i = 0; i < 2; i++)
        {
            statuses.Add((await limits.ReserveAsync(world.Ask() with { Claim = claim }, CancellationToken.None)).Status);
        }

        Assert.Equal([LimitStatus.Kept, LimitStatus.Requests], statuses);
    }

    [Fact]
    public async Task Claims_that_Redis_lost_come_back_of_open_calls_and_of_kept_answers()
    {
        await using var world = await WorldAsync();
        var limits = await world.InstanceAsync();
        var (open, kept, tooLarge, dead) = (NewClaim(), NewClaim(), NewClaim(), NewClaim());
        var running = world.Ask() with { Claim = open };
        var row = world.Row(running, await limits.ReserveAsync(running, CancellationToken.None));
        Assert.True(world.Of<IAdmissionLog>().Admit(row));
        var database = world.Of<Npgsql.NpgsqlDataSource>();
        var (first, second) = (Guid.CreateVersion7(), Guid.CreateVersion7());
        await KeepAnswer.WriteAsync(database, world.Organisation, kept, first, "key", [1, 2, 3], CancellationToken.None);
        await KeepAnswer.WriteAsync(database, world.Organisation, tooLarge, second, null, null, CancellationToken.None);

        var redis = await world.DirectAsync();
        await redis.KeyDeleteAsync([LimitScripts.KeyOf(world.Organisation), LimitScripts.OpenKeyOf(world.Organisation), LimitScripts.ClaimKeyOf(world.Organisation, open.Key)]);

        Assert.Equal((LimitStatus.Busy, running.Call), await AskAsync(open));
        Assert.Equal((LimitStatus.Kept, first), await AskAsync(kept));
        Assert.Equal((LimitStatus.NotKept, second), await AskAsync(tooLarge));
        Assert.Equal((LimitStatus.Admitted, null), await AskAsync(dead));
        await world.Of<IAdmissionLog>().SettleAsync(new(row, Records.Of(row, Contracts.RequestOutcome.Failed)));
        await Until.TrueAsync(async () => (await AskAsync(open)).Status == LimitStatus.Admitted);

        async Task<(LimitStatus Status, Guid? Holder)> AskAsync(Claim claim)
        {
            var answer = await limits.ReserveAsync(world.Ask() with { Claim = claim }, CancellationToken.None);
            return (answer.Status, answer.Holder);
        }
    }

    private static Claim NewClaim() => new(Guid.CreateVersion7().ToString("N"), Body, TimeSpan.FromHours(24));

    private async Task<LimitsWorld> WorldAsync() => new(marketplace, await RedisAsync());
}
