using System.Globalization;
using LlmMarketplace.Consumption.Budgets;
using LlmMarketplace.Consumption.Metering;
using Npgsql;
using StackExchange.Redis;

namespace LlmMarketplace.Consumption.Limits;

/// <summary>An account as it stands, without asking anything of it.</summary>
/// <param name="Now">Redis's clock.</param>
/// <param name="Requests">The request rate.</param>
/// <param name="Tokens">The token rate.</param>
/// <param name="TokensOfMonth">Tokens used and reserved this month.</param>
/// <param name="Spent">Nano-units spent and reserved in the budget's period; 0 without budget.</param>
/// <param name="Open">Calls open.</param>
internal readonly record struct AccountStanding(DateTimeOffset Now, RateState Requests, RateState Tokens, long TokensOfMonth, long Spent, long Open);

/// <summary>Reads accounts as the scripts would see them; <c>calls.lua</c> says how they lie.</summary>
internal sealed class ReadAccounts(IConnectionMultiplexer redis, Counters counters)
{
    private const string Script = "local unpack = table.unpack or unpack local time = redis.call('TIME') return {time[1], time[2], unpack(redis.call('HMGET', KEYS[1], unpack(ARGV)))}";

    /// <exception cref="LimitsUnavailableException">Redis or the records cannot be reached.</exception>
    public async Task<IReadOnlyList<AccountStanding>> ReadAsync(Guid organisation, params IReadOnlyList<Account> accounts)
    {
        try
        {
            await counters.GenerationAsync(organisation);
            var answer = (RedisResult[])(await redis.GetDatabase().ScriptEvaluateAsync(
                Script, [LimitScripts.KeyOf(organisation)], [.. accounts.Select(account => (RedisValue)account.Field)]))!;
            var now = ((long)answer[0] * 1_000_000) + (long)answer[1];
            return [.. accounts.Select((account, i) => Standing(account, now, (string?)answer[2 + i]))];
        }
        catch (Exception away) when (away is RedisException or TimeoutException or NpgsqlException or NotLeasedException)
        {
            throw new LimitsUnavailableException("The limits cannot be read.", away);
        }
    }

    private static AccountStanding Standing(Account account, long now, string? packed)
    {
        var numbers = packed is null ? new long[8] : Array.ConvertAll(packed.Split(' '), number => long.Parse(number, CultureInfo.InvariantCulture));
        var time = DateTimeOffset.FromUnixTimeMilliseconds(now / 1_000);
        var (day, today) = (numbers[0], Periods.Day(time));
        var sameMonth = day / 100 == today / 100;
        return new AccountStanding(
            time,
            Rate(account.Burst, account.RequestsPerMinute, numbers[5], now),
            Rate(account.TokensPerMinute, account.TokensPerMinute, numbers[6], now),
            sameMonth ? numbers[4] : 0,
            account.Budget?.Period switch
            {
                null => 0,
                BudgetPeriod.Day => day == today ? numbers[1] : 0,
                BudgetPeriod.Month => sameMonth ? numbers[2] : 0,
                _ => numbers[3],
            },
            numbers[7]);
    }

    private static RateState Rate(long size, long perMinute, long fullAt, long now)
    {
        var missing = Math.Max(0, fullAt - now);
        return perMinute == 0 ? default : new RateState(size, Math.Max(0, (long)Math.Floor(size - (missing * perMinute / 60_000_000d) + 0.000001)), TimeSpan.FromMicroseconds(missing));
    }
}
