using LlmMarketplace.Consumption.Idempotency;

namespace LlmMarketplace.Consumption.Limits;

/// <summary>What a call asks of the limits: upper bounds of what it may use.</summary>
/// <param name="Call">Its id: asked again under the same id, it gets the same answer.</param>
/// <param name="Instance">The instance that will settle it.</param>
/// <param name="OrganisationId">Who pays.</param>
/// <param name="Organisation">The organisation's limits.</param>
/// <param name="Key">The key's limits.</param>
/// <param name="Tokens">Tokens in and out, at most.</param>
/// <param name="Nanos">Price in nano-units, at most.</param>
/// <param name="Claim">The idempotency key that the call claims with its reservation, or null.</param>
internal sealed record Reservation(Guid Call, Guid Instance, Guid OrganisationId, Account Organisation, Account Key, long Tokens, long Nanos, Claim? Claim = null)
{
    /// <summary>The end user's limits; null when the call names none.</summary>
    public Account? EndUser { get; init; }

    /// <summary>The limits that refused.</summary>
    public Account Of(LimitedAccount account) => account switch
    {
        LimitedAccount.EndUser => EndUser!,
        LimitedAccount.Key => Key,
        _ => Organisation,
    };
}

/// <summary>How a reservation ends: replaced by what was used. A call without open reservation changes nothing.</summary>
/// <param name="Call">The call's id.</param>
/// <param name="KeyField">Its key's account.</param>
/// <param name="Tokens">Tokens used.</param>
/// <param name="Nanos">Nano-units charged.</param>
/// <param name="Deadline">Of its admission (µs of Redis's clock) when copies of that may still be under way, else 0.</param>
/// <param name="Claim">What becomes of the call's idempotency key when its answer is complete; null: it has none, or it is free again.</param>
internal readonly record struct Release(Guid Call, string KeyField, long Tokens, long Nanos, long Deadline = 0, EndedClaim? Claim = null)
{
    /// <summary>The account of the end user whom the call was made for, or null.</summary>
    public string? EndUserField { get; init; }

    /// <summary>All of a reservation is given back.</summary>
    /// <param name="reservation">Of a call that is not forwarded.</param>
    /// <param name="deadline">As in a release.</param>
    public static Release OfAll(Reservation reservation, long deadline = 0) => new(reservation.Call, reservation.Key.Field, 0, 0, deadline) { EndUserField = reservation.EndUser?.Field };
}

/// <summary>What the limits say.</summary>
internal enum LimitStatus
{
    /// <summary>All reserved.</summary>
    Admitted = 0,

    /// <summary>The counters are not those expected.</summary>
    Generation = 1,

    /// <summary>It came after its deadline, or after it was given up.</summary>
    Late = 2,

    /// <summary>The account's settings were changed, and whoever asks does not know it yet.</summary>
    Stale = 3,

    /// <summary>The month's tokens do not suffice.</summary>
    MonthlyTokens = 4,

    /// <summary>The budget does not suffice.</summary>
    Budget = 5,

    /// <summary>Too many calls are open.</summary>
    Concurrency = 6,

    /// <summary>Too many requests.</summary>
    Requests = 7,

    /// <summary>Too many tokens a minute.</summary>
    Tokens = 8,

    /// <summary>Another call with this idempotency key is complete, and its answer is kept: nothing is reserved.</summary>
    Kept = 9,

    /// <summary>Another call with this idempotency key is open.</summary>
    Busy = 10,

    /// <summary>Another call with this idempotency key had another body.</summary>
    OtherBody = 11,

    /// <summary>Another call with this idempotency key is complete, and its answer is not kept.</summary>
    NotKept = 12,
}

/// <summary>Whose limit it is.</summary>
internal enum LimitedAccount
{
    /// <summary>None refused.</summary>
    None = 0,

    /// <summary>The organisation's.</summary>
    Organisation = 1,

    /// <summary>The key's.</summary>
    Key = 2,

    /// <summary>The end user's.</summary>
    EndUser = 3,
}

/// <summary>A rate as it stands; of several, the one that has least left.</summary>
/// <param name="Limit">Size of the bucket; 0: there is no limit.</param>
/// <param name="Remaining">What would be admitted now.</param>
/// <param name="FullIn">Until the bucket is full.</param>
internal readonly record struct RateState(long Limit, long Remaining, TimeSpan FullIn);

/// <summary>The limits' answer.</summary>
/// <param name="Status">Admitted, or which limit refuses.</param>
/// <param name="Account">Whose limit refuses.</param>
/// <param name="Generation">Of the counters that hold the reservation.</param>
/// <param name="Day">UTC day by Redis's clock, yyyymmdd: the period that is charged.</param>
/// <param name="Now">Redis's clock when the call was admitted.</param>
/// <param name="Requests">The request rate after this call.</param>
/// <param name="Tokens">The token rate after this call.</param>
/// <param name="Wait">After a refusal by rate: until this call would be admitted.</param>
/// <param name="Left">After a refusal: what the limit still has, in tokens or, of budgets, nano-units.</param>
/// <param name="BudgetLeft">Nano-units left of the budgets after this call, the least of them; null without budget.</param>
/// <param name="Holder">The call that stands against this one's idempotency key.</param>
internal readonly record struct LimitAnswer(
    LimitStatus Status,
    LimitedAccount Account,
    long Generation,
    int Day,
    DateTimeOffset Now,
    RateState Requests,
    RateState Tokens,
    TimeSpan Wait,
    long Left,
    long? BudgetLeft,
    Guid? Holder = null)
{
    /// <summary>Whether this instance answered by itself (<see cref="Allowance"/>).</summary>
    public bool IsOwn { get; init; }
}
