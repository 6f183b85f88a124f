using System.Globalization;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using LlmMarketplace.Consumption.Idempotency;
using StackExchange.Redis;

namespace LlmMarketplace.Consumption.Limits;

/// <summary>The Lua scripts and how they are spoken to. All of an organisation has one hash tag, so that one script sees it whole.</summary>
internal sealed class LimitScripts(IConnectionMultiplexer redis, RedisClock clock)
{
    public const string OrganisationField = "o";
    private const int NumbersPerAdmission = 13;
    private const int OwnKeys = 3;
    private const int ClaimsAtOnce = 1_000;
    private static readonly List<(int Place, Claim Claim, char State)> NoClaims = [];
    private const int EndUsersAtOnce = 1_000;
    private static readonly string Calls = Read("calls.lua");
    private static readonly byte[] CallsName = NameOf(Calls);
    private static readonly string RebuildScript = Read("rebuild.lua");

    /// <summary>An organisation's accounts.</summary>
    public static RedisKey KeyOf(Guid organisation) => $"consumption:{{{organisation:N}}}";

    /// <summary>An organisation's open calls.</summary>
    public static RedisKey OpenKeyOf(Guid organisation) => $"consumption:{{{organisation:N}}}:open";

    /// <summary>What is known of an idempotency key.</summary>
    public static RedisKey ClaimKeyOf(Guid organisation, string claim) => $"consumption:{{{organisation:N}}}:claim:{claim}";

    /// <summary>An organisation's end users' accounts.</summary>
    public static RedisKey EndUsersKeyOf(Guid organisation) => $"consumption:{{{organisation:N}}}:users";

    /// <summary>An end user's account; the id itself stands in no key, for it may be long, and is personal data.</summary>
    public static string FieldOfEndUser(string endUser) => "u:" + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(endUser)).AsSpan(0, 16));

    public static string FieldOf(Guid key) => $"k:{key:N}";

    /// <summary>Where the version of an account's settings stands.</summary>
    public static string VersionFieldOf(string account) => "v" + account;

    /// <summary>Settles and admits in one step; <c>calls.lua</c> says how.</summary>
    /// <param name="organisation">Whose hash tag.</param>
    /// <param name="generation">The generation that the counters must have to admit.</param>
    /// <param name="releases">What is settled first.</param>
    /// <param name="asked">What is asked then, with deadlines in µs of Redis's clock.</param>
    public async Task<CallsAnswer> RunAsync(Guid organisation, long generation, IReadOnlyList<Release> releases, IReadOnlyList<(Reservation Asked, long Deadline)> asked)
    {
        var claims = Claims(releases, asked);
        var keys = new RedisKey[OwnKeys + claims.Count];
        (keys[0], keys[1], keys[2]) = (KeyOf(organisation), OpenKeyOf(organisation), EndUsersKeyOf(organisation));
        for (var c = 0; c < claims.Count; c++)
        {
            keys[OwnKeys + c] = ClaimKeyOf(organisation, claims[c].Claim.Key);
        }

        var result = await EvaluateAsync(keys, Arguments(generation, releases, asked, claims));
        var numbers = (RedisResult[])result!;
        clock.Heard((long)numbers[0]);
        var traces = new bool[releases.Count];
        for (var i = 0; i < traces.Length; i++)
        {
            traces[i] = (long)numbers[1 + i] == 1;
        }

        var answers = new LimitAnswer[asked.Count];
        for (var i = 0; i < answers.Length; i++)
        {
            answers[i] = Answer(generation, numbers.AsSpan(1 + traces.Length + (i * NumbersPerAdmission), NumbersPerAdmission));
        }

        for (var c = 0; c < claims.Count; c++)
        {
            if (claims[c].Place > 0 && Guid.TryParseExact((string?)numbers[^(claims.Count - c)], "N", out var holder))
            {
                answers[claims[c].Place - 1] = answers[claims[c].Place - 1] with { Holder = holder };
            }
        }

        return new CallsAnswer((long)numbers[0], traces, answers);
    }

    /// <summary>
    /// Sets an organisation's claims, counters and open calls. Claims and the accounts of end users may be many: they are set piece by piece, and nobody is admitted meanwhile.
    /// </summary>
    public async Task RebuildAsync(Guid organisation, CounterSums sums)
    {
        var database = redis.GetDatabase();
        await database.ScriptEvaluateAsync("redis.call('HDEL', KEYS[1], 'g') redis.call('DEL', KEYS[2]) return 1", [KeyOf(organisation), EndUsersKeyOf(organisation)]);
        foreach (var some in sums.Claims.Chunk(ClaimsAtOnce))
        {
            await Task.WhenAll(some.Select(claim => database.StringSetAsync(ClaimKeyOf(organisation, claim.Claim), claim.State, claim.Left)));
        }

        foreach (var piece in sums.EndUsers.Chunk(EndUsersAtOnce))
        {
            await database.HashSetAsync(EndUsersKeyOf(organisation), piece);
        }

        await database.ScriptEvaluateAsync(
            RebuildScript,
            [KeyOf(organisation), OpenKeyOf(organisation)],
            [sums.Generation, sums.AccountCount, sums.VersionCount, sums.OpenCount, sums.TracksEndUsers ? 1 : 0, .. sums.Accounts, .. sums.Versions, .. sums.Open]);
    }

    /// <summary>Forgets what is known of idempotency keys.</summary>
    public Task ForgetAsync(Guid organisation, IEnumerable<string> claims) => redis.GetDatabase().KeyDeleteAsync([.. claims.Select(claim => ClaimKeyOf(organisation, claim))]);

    /// <summary>From now on nobody is admitted by older settings of an account.</summary>
    public Task RaiseVersionAsync(Guid organisation, string account, long version) => redis.GetDatabase().ScriptEvaluateAsync(
        "if tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or '0') < tonumber(ARGV[2]) then redis.call('HSET', KEYS[1], ARGV[1], ARGV[2]) end return 1",
        [KeyOf(organisation)],
        [VersionFieldOf(account), version]);

    /// <summary>Redis's clock, in µs since 1970.</summary>
    public async Task<long> TimeAsync(Guid organisation)
    {
        var time = (RedisResult[])(await redis.GetDatabase().ScriptEvaluateAsync("return redis.call('TIME')", [KeyOf(organisation)]))!;
        return ((long)time[0] * 1_000_000) + (long)time[1];
    }

    /// <summary>By its name, as the server knows it from the second time on: the text is long, and even to look it up costs more than to send the name.</summary>
    private async Task<RedisResult> EvaluateAsync(RedisKey[] keys, RedisValue[] values)
    {
        var database = redis.GetDatabase();
        try
        {
            return await database.ScriptEvaluateAsync(CallsName, keys, values);
        }
        catch (RedisServerException unknown) when (unknown.Message.StartsWith("NOSCRIPT", StringComparison.Ordinal))
        {
            return await database.ScriptEvaluateAsync(Calls, keys, values);
        }
    }

    /// <summary>The claims that calls make (their place is positive) or end (negative), if any.</summary>
    private static List<(int Place, Claim Claim, char State)> Claims(IReadOnlyList<Release> releases, IReadOnlyList<(Reservation Asked, long Deadline)> asked)
    {
        List<(int, Claim, char)>? claims = null;
        for (var i = 0; i < releases.Count; i++)
        {
            if (releases[i].Claim is { } ended)
            {
                (claims ??= []).Add((-(i + 1), ended.Claim, ended.IsKept ? ClaimState.Kept : ClaimState.NotKept));
            }
        }

        for (var i = 0; i < asked.Count; i++)
        {
            if (asked[i].Asked.Claim is { } claim)
            {
                (claims ??= []).Add((i + 1, claim, ClaimState.Open));
            }
        }

        return claims ?? NoClaims;
    }

    internal static RedisValue[] Arguments(
        long generation, IReadOnlyList<Release> releases, IReadOnlyList<(Reservation Asked, long Deadline)> asked, List<(int Place, Claim Claim, char State)> claims)
    {
        // The organisation's account comes first; of an account that several have, the settings that are newest.
        var organisation = asked.Count > 0 ? asked[^1].Asked.Organisation : new Account { Field = OrganisationField };
        var accounts = new List<Account>(1 + asked.Count) { organisation };
        var places = new Dictionary<string, int>(asked.Count + releases.Count, StringComparer.Ordinal);
        var arguments = new List<RedisValue>(4 + (9 * (1 + (2 * (asked.Count + releases.Count)))) + (6 * releases.Count) + (9 * asked.Count) + (4 * claims.Count));
        foreach (var (reservation, _) in asked)
        {
            ref var place = ref CollectionsMarshal.GetValueRefOrAddDefault(places, reservation.Key.Field, out var there);
            if (!there)
            {
                accounts.Add(reservation.Key);
                place = accounts.Count;
            }
            else if (accounts[place - 1].Version < reservation.Key.Version)
            {
                accounts[place - 1] = reservation.Key;
            }
        }

        foreach (var field in releases.Select(release => release.KeyField).Concat(releases.Select(release => release.EndUserField).Concat(asked.Select(one => one.Asked.EndUser?.Field)).OfType<string>()))
        {
            if (places.TryAdd(field, accounts.Count + 1))
            {
                accounts.Add(new Account { Field = field });
            }
        }

        arguments.AddRange([generation, accounts.Count, releases.Count, asked.Count]);
        foreach (var account in accounts)
        {
            arguments.AddRange(
            [
                account.Field, account.Version, account.RequestsPerMinute, account.Burst, account.TokensPerMinute, account.TokensPerMonth,
                Period(account.Budget), account.Budget?.Nanos ?? 0, account.ConcurrentCalls,
            ]);
        }

        foreach (var release in releases)
        {
            arguments.AddRange([release.Call.ToString("N"), places[release.KeyField], release.Tokens, release.Nanos, release.Deadline, release.EndUserField is { } user ? places[user] : 0]);
        }

        foreach (var (reservation, deadline) in asked)
        {
            arguments.AddRange(
            [
                reservation.Call.ToString("N"), reservation.Instance.ToString("N"), deadline, reservation.Tokens, reservation.Nanos, places[reservation.Key.Field],
                reservation.EndUser is { } user ? places[user.Field] : 0, Period(reservation.EndUser?.Budget), reservation.EndUser?.Budget?.Nanos ?? 0,
            ]);
        }

        foreach (var (place, claim, state) in claims)
        {
            arguments.AddRange([place, claim.Body, state.ToString(), (long)(state == ClaimState.Open ? Claim.OpenFor : claim.KeptFor).TotalMilliseconds]);
        }

        return [.. arguments];
    }

    private static LimitAnswer Answer(long generation, ReadOnlySpan<RedisResult> numbers) => new(
        (LimitStatus)(int)numbers[0],
        (LimitedAccount)(int)numbers[1],
        generation,
        (int)numbers[2],
        DateTimeOffset.FromUnixTimeMilliseconds((long)numbers[3]),
        new RateState((long)numbers[4], (long)numbers[5], TimeSpan.FromMilliseconds((long)numbers[6])),
        new RateState((long)numbers[7], (long)numbers[8], TimeSpan.FromMilliseconds((long)numbers[9])),
        TimeSpan.FromMilliseconds((long)numbers[10]),
        (long)numbers[11],
        (long)numbers[12] is var left and >= 0 ? left : null);

    private static RedisValue Period(Budgets.Budget? budget) => budget?.Period switch
    {
        null => "-",
        Budgets.BudgetPeriod.Day => "d",
        Budgets.BudgetPeriod.Month => "m",
        _ => "t",
    };

#pragma warning disable CA5350 // It is how Redis names a script (EVALSHA), and guards nothing.
    private static byte[] NameOf(string script) => SHA1.HashData(Encoding.UTF8.GetBytes(script));
#pragma warning restore CA5350

    private static string Read(string name)
    {
        using var stream = typeof(LimitScripts).Assembly.GetManifestResourceStream(name) ?? throw new InvalidOperationException($"{name} is not embedded.");
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }
}

/// <summary>What <c>calls.lua</c> answers.</summary>
/// <param name="Now">Redis's clock, µs.</param>
/// <param name="Traces">For each settlement, whether its id stays until its deadline and is to be settled again then.</param>
/// <param name="Answers">For each admission.</param>
internal readonly record struct CallsAnswer(long Now, bool[] Traces, LimitAnswer[] Answers);

/// <summary>What an organisation's counters are set to, as the arguments of <c>rebuild.lua</c>.</summary>
/// <param name="generation">Their generation.</param>
internal sealed class CounterSums(long generation)
{
    public long Generation { get; } = generation;

    // As the scripts: whole numbers beyond it are not exact there.
    private const decimal Top = 9_007_199_254_740_991m;

    public List<RedisValue> Accounts { get; } = [];

    public List<RedisValue> Versions { get; } = [];

    public List<RedisValue> Open { get; } = [];

    /// <summary>Claims, what they say, and how long they stand.</summary>
    public List<(string Claim, string State, TimeSpan Left)> Claims { get; } = [];

    /// <summary>Whether end users have accounts.</summary>
    public bool TracksEndUsers { get; init; }

    public List<HashEntry> EndUsers { get; } = [];

    public int AccountCount => Accounts.Count / 3;

    public int VersionCount => Versions.Count / 2;

    public int OpenCount => Open.Count / 2;

    /// <summary>An account: nano-units spent on <paramref name="day"/>, in its month, in total; tokens of the month; open calls.</summary>
    public void AddAccount(string field, int day, decimal ofDay, decimal ofMonth, decimal total, decimal tokens, long open)
    {
        Accounts.Add(field);
        Accounts.Add(string.Create(CultureInfo.InvariantCulture, $"{day} {Bounded(ofDay):F0} {Bounded(ofMonth):F0} {Bounded(total):F0} {Bounded(tokens):F0}"));
        Accounts.Add(open);
    }

    /// <summary>An end user: nano-units spent on <paramref name="day"/>, in its month, in total.</summary>
    public void AddEndUser(string endUser, int day, decimal ofDay, decimal ofMonth, decimal total) =>
        EndUsers.Add(new HashEntry(LimitScripts.FieldOfEndUser(endUser), string.Create(CultureInfo.InvariantCulture, $"{day} {Bounded(ofDay):F0} {Bounded(ofMonth):F0} {Bounded(total):F0}")));

    private static decimal Bounded(decimal sum) => Math.Min(sum, Top);

    /// <summary>The version of an account's settings.</summary>
    public void AddVersion(string account, long version)
    {
        Versions.Add(LimitScripts.VersionFieldOf(account));
        Versions.Add(version);
    }

    /// <summary>An open call. What its key's token bucket gave is not known any more, and not given back.</summary>
    public void AddOpen(Guid call, Guid instance, int day, DateTimeOffset admittedAt, long tokens, long nanos, double microsecondsPerToken)
    {
        Open.Add(call.ToString("N"));
        Open.Add(string.Create(CultureInfo.InvariantCulture, $"{instance:N} {day} {admittedAt.ToUnixTimeMilliseconds()} {tokens} {nanos} {microsecondsPerToken:R} 0"));
    }
}
