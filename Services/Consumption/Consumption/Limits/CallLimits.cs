using LlmMarketplace.Consumption.Budgets;
using LlmMarketplace.Consumption.Metering;
using StackExchange.Redis;

namespace LlmMarketplace.Consumption.Limits;

/// <summary>All limits of a call, reserved or refused by one script; and the difference returned once it is known.</summary>
internal sealed class CallLimits(IConnectionMultiplexer redis, Counters counters)
{
    private const int Attempts = 5;

    /// <summary>Reserves all, or nothing.</summary>
    /// <exception cref="LimitsUnavailableException">Redis or the records cannot be reached: nobody may be admitted.</exception>
    public async Task<LimitAnswer> ReserveAsync(Reservation asked)
    {
        long generation = 0;
        try
        {
            generation = await counters.GenerationAsync(asked.Organisation);
            for (var attempt = 0; attempt < Attempts; attempt++)
            {
                var answer = await TryReserveAsync(asked, generation);
                if (answer.Status != LimitStatus.Generation)
                {
                    return answer;
                }

                generation = await counters.ReestablishAsync(asked.Organisation, generation);
            }
        }
        catch (Exception away) when (away is RedisException or RedisTimeoutException or TimeoutException or Npgsql.NpgsqlException or NotLeasedException)
        {
            counters.Doubt(asked.Organisation, generation); // The script may have run, or may yet.
            throw new LimitsUnavailableException("The limits cannot be read.", away);
        }

        throw new LimitsUnavailableException("The limits are being built anew.", null);
    }

    /// <summary>Adds what was used beyond the reservation, mostly less than nothing. Never throws: what did not arrive is in doubt and built anew.</summary>
    public async Task SettleAsync(AdmissionRow admission, long generation, long tokens, long nanos)
    {
        try
        {
            await redis.GetDatabase().ScriptEvaluateAsync(
                Scripts.Settle,
                [Scripts.KeyOf(admission.OrganisationId)],
                [
                    generation, admission.Day, Scripts.FieldOf(admission.KeyId), tokens - admission.ReservedTokens, nanos - admission.ReservedNanos,
                    Scripts.Number(admission.MicrosecondsPerToken),
                ]);
        }
        catch (Exception away) when (away is RedisException or RedisTimeoutException or TimeoutException)
        {
            counters.Doubt(admission.OrganisationId, generation);
        }
    }

    private async Task<LimitAnswer> TryReserveAsync(Reservation asked, long generation)
    {
        var (tier, organisation, key) = (asked.Tier, asked.OrganisationBudget, asked.KeyBudget);
        var answer = (RedisResult[])(await redis.GetDatabase().ScriptEvaluateAsync(
            Scripts.Admit,
            [Scripts.KeyOf(asked.Organisation)],
            [
                generation, Scripts.Number(1_000_000d / tier.RequestsPerSecond), tier.Burst, Scripts.Number(Scripts.MicrosecondsPerToken(tier)), tier.TokensPerMinute,
                asked.Tokens, tier.TokensPerMonth, asked.Nanos, Period(organisation), organisation?.Nanos ?? 0, Scripts.FieldOf(asked.Key), Period(key), key?.Nanos ?? 0,
            ]))!;
        if ((LimitStatus)(int)answer[0] == LimitStatus.Generation)
        {
            return new LimitAnswer { Status = LimitStatus.Generation };
        }

        return new LimitAnswer(
            (LimitStatus)(int)answer[0],
            generation,
            (int)answer[1],
            DateTimeOffset.FromUnixTimeMilliseconds((long)answer[2]),
            (long)answer[3],
            TimeSpan.FromMilliseconds((long)answer[4]),
            (long)answer[5],
            TimeSpan.FromMilliseconds((long)answer[6]),
            TimeSpan.FromMilliseconds((long)answer[7]),
            (long)answer[8]);
    }

    private static RedisValue Period(Budget? budget) => budget?.Period switch
    {
        null => "-",
        BudgetPeriod.Day => "d",
        BudgetPeriod.Month => "m",
        _ => "t",
    };
}

/// <summary>Nobody may be admitted, for nobody can say whether the limits allow it.</summary>
internal sealed class LimitsUnavailableException(string message, Exception? inner) : Exception(message, inner);
