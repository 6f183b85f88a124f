using FsCheck.Xunit;
using LlmMarketplace.Consumption.Limits;
using LlmMarketplace.Servers;
using StackExchange.Redis;
using Xunit;

namespace LlmMarketplace.Consumption.Tests.Limits;

/// <summary>Any order of admissions, repetitions, settlements and late copies, however they are batched and by whichever instance, comes to what a simple model says.</summary>
public sealed class LimitModelTests(Marketplace marketplace)
{
    [Property(MaxTest = 40, EndSize = 120)]
    public async Task Garnet_keeps_to_the_model(int[] steps) => await RunAsync(await marketplace.Redis.GarnetAsync(), steps);

    [Property(MaxTest = 40, EndSize = 120)]
    public async Task Redis_keeps_to_the_model(int[] steps)
    {
        if (RedisServers.RedisServerSkipReason is null)
        {
            await RunAsync(await marketplace.Redis.RedisServerAsync(), steps);
        }
    }

    private static async Task RunAsync(string connection, int[] steps)
    {
        await using var first = await ConnectionMultiplexer.ConnectAsync(connection);
        await using var second = await ConnectionMultiplexer.ConnectAsync(connection);
        LimitScripts[] instances = [new(first, new RedisClock(TimeProvider.System)), new(second, new RedisClock(TimeProvider.System))];
        var world = new Model();
        await instances[0].RebuildAsync(world.Organisation, new CounterSums(1) { TracksEndUsers = true });
        var never = await instances[0].TimeAsync(world.Organisation) + 3_600_000_000;

        var batch = new Dictionary<int, (bool Admit, long Tokens, long Nanos, bool Trace)>();
        foreach (var step in steps.Append(0).Select((step, i) => Spread(unchecked((step * 131) + i))))
        {
            var slot = step % 9;
            batch[slot] = ((step / 9) % 2 == 0, (step / 18) % 50, (step / 900) % 90, (step / 81_000) % 2 == 0);
            if (step % 4 == 0)
            {
                await FlushAsync(instances[step / 4 % 2], first.GetDatabase(), world, batch, never);
                batch.Clear();
            }
        }
    }

    /// <summary>Generated numbers are small; each becomes one that any part of a step may be taken from.</summary>
    private static int Spread(int step)
    {
        var mixed = unchecked((uint)step * 2_654_435_761u);
        return (int)((mixed ^ (mixed >> 15)) & int.MaxValue);
    }

    private static async Task FlushAsync(LimitScripts scripts, IDatabase redis, Model world, Dictionary<int, (bool Admit, long Tokens, long Nanos, bool Trace)> batch, long never)
    {
        var releases = batch.Where(step => !step.Value.Admit).Select(step => (Slot: step.Key, Release: new Release(
            world.Calls[step.Key].Id, world.KeyAt(step.Key).Field, step.Value.Tokens, step.Value.Nanos, step.Value.Trace ? never : 0)
        {
            EndUserField = world.EndUserAt(step.Key)?.Field,
        })).ToArray();
        var asked = batch.Where(step => step.Value.Admit).Select(step => (Slot: step.Key, Asked: new Reservation(
            world.Calls[step.Key].Id, Guid.CreateVersion7(), world.Organisation, Model.OrganisationAccount, world.KeyAt(step.Key), step.Value.Tokens, step.Value.Nanos)
        {
            EndUser = world.EndUserAt(step.Key),
        })).ToArray();

        var answer = await scripts.RunAsync(world.Organisation, 1, [.. releases.Select(release => release.Release)], [.. asked.Select(ask => (ask.Asked, never))]);

        Assert.Equal(releases.Select(release => world.Settle(release.Slot, release.Release)), answer.Traces);
        Assert.Equal(asked.Select(ask => world.Admit(ask.Slot, ask.Asked)), answer.Answers.Select(told => (told.Status, told.Account)));
        foreach (var account in world.Accounts.Where(account => account.Key.StartsWith("u:", StringComparison.Ordinal)))
        {
            var packed = (string?)await redis.HashGetAsync(LimitScripts.EndUsersKeyOf(world.Organisation), account.Key) ?? "0 0 0 0";
            Assert.Equal($"{account.Value.Spent}", packed.Split(' ')[3]);
        }

        foreach (var account in world.Accounts.Where(account => !account.Key.StartsWith("u:", StringComparison.Ordinal)))
        {
            var packed = (string?)await redis.HashGetAsync(LimitScripts.KeyOf(world.Organisation), account.Key) ?? "0 0 0 0 0 0 0 0";
            var told = packed.Split(' ');
            Assert.Equal($"{account.Value.Spent} {account.Value.Tokens} {account.Value.Open}", $"{told[3]} {told[4]} {told[7]}");
        }

        Assert.Equal(world.Calls.Count(call => call.Open || call.Traced), await redis.HashLengthAsync(LimitScripts.OpenKeyOf(world.Organisation)));
    }

    private sealed class Model
    {
        private readonly Guid[] keys = [Guid.CreateVersion7(), Guid.CreateVersion7()];

        public static Account OrganisationAccount { get; } = new() { Field = LimitScripts.OrganisationField, Budget = LimitsWorld.Nanos(300), TokensPerMonth = 250 };

        public Guid Organisation { get; } = Guid.CreateVersion7();

        public Call[] Calls { get; } = [.. Enumerable.Range(0, 9).Select(_ => new Call())];

        public Dictionary<string, Totals> Accounts { get; } = [];

        public Account KeyAt(int slot) => new() { Field = LimitScripts.FieldOf(keys[slot % 2]), Budget = LimitsWorld.Nanos(200), ConcurrentCalls = 3 };

        /// <summary>Of every third call nobody says whom it is for; the others are for two, one of whom has no budget.</summary>
        public Account? EndUserAt(int slot) => (slot % 3) switch
        {
            0 => Account.OfEndUser("ann", LimitsWorld.Nanos(120)),
            1 => Account.OfEndUser("bob", null),
            _ => null,
        };

        public bool Settle(int slot, Release release)
        {
            var call = Calls[slot];
            if (call.Open)
            {
                Add(slot, release.Tokens - call.Tokens, release.Nanos - call.Nanos, -1);
            }

            (call.Open, call.Traced) = (false, release.Deadline > 0);
            if (!call.Traced)
            {
                call.Id = Guid.CreateVersion7();
            }

            return call.Traced;
        }

        public (LimitStatus, LimitedAccount) Admit(int slot, Reservation asked)
        {
            var call = Calls[slot];
            if (call.Open || call.Traced)
            {
                return (call.Open ? LimitStatus.Admitted : LimitStatus.Late, LimitedAccount.None);
            }

            var (organisation, key) = (Of(LimitScripts.OrganisationField), Of(asked.Key.Field));
            if (organisation.Tokens + asked.Tokens > 250)
            {
                return (LimitStatus.MonthlyTokens, LimitedAccount.Organisation);
            }

            if (organisation.Spent + asked.Nanos > 300)
            {
                return (LimitStatus.Budget, LimitedAccount.Organisation);
            }

            if (key.Spent + asked.Nanos > 200)
            {
                return (LimitStatus.Budget, LimitedAccount.Key);
            }

            if (asked.EndUser is { Budget: { } budget } user && Of(user.Field).Spent + asked.Nanos > budget.Nanos)
            {
                return (LimitStatus.Budget, LimitedAccount.EndUser);
            }

            if (key.Open >= 3)
            {
                return (LimitStatus.Concurrency, LimitedAccount.Key);
            }

            (call.Open, call.Tokens, call.Nanos) = (true, asked.Tokens, asked.Nanos);
            Add(slot, asked.Tokens, asked.Nanos, 1);
            return (LimitStatus.Admitted, LimitedAccount.None);
        }

        private void Add(int slot, long tokens, long nanos, long open)
        {
            foreach (var account in new[] { LimitScripts.OrganisationField, KeyAt(slot).Field, EndUserAt(slot)?.Field }.OfType<string>().Select(Of))
            {
                account.Spent += nanos;
                account.Tokens += tokens;
                account.Open += open;
            }
        }

        private Totals Of(string field) => Accounts.TryGetValue(field, out var totals) ? totals : Accounts[field] = new Totals();
    }

    private sealed class Call
    {
        public Guid Id { get; set; } = Guid.CreateVersion7();

        public bool Open { get; set; }

        public bool Traced { get; set; }

        public long Tokens { get; set; }

        public long Nanos { get; set; }
    }

    private sealed class Totals
    {
        public long Spent { get; set; }

        public long Tokens { get; set; }

        public long Open { get; set; }
    }
}
