using System.Diagnostics.Metrics;
using LlmMarketplace.Identity.SignIn;

namespace LlmMarketplace.Identity;

/// <summary>Meter <c>LlmMarketplace.Identity</c>.</summary>
internal sealed class IdentityMetrics
{
    public const string MeterName = "LlmMarketplace.Identity";

    private readonly Counter<long> signIns;
    private readonly Counter<long> lockOuts;
    private readonly Counter<long> tokens;
    private readonly Counter<long> limited;

    public IdentityMetrics(IMeterFactory meters)
    {
        var meter = meters.Create(MeterName);
        signIns = meter.CreateCounter<long>("marketplace.identity.sign_ins", "{attempt}", "Passwords checked, by outcome.");
        lockOuts = meter.CreateCounter<long>("marketplace.identity.lock_outs", "{account}", "Accounts locked out after failed attempts.");
        tokens = meter.CreateCounter<long>("marketplace.identity.token_requests", "{request}", "Token requests that reached a decision, by grant and outcome.");
        limited = meter.CreateCounter<long>("marketplace.identity.rate_limited", "{request}", "Requests refused by the limits per address.");
    }

    public void SignIn(PasswordOutcome outcome) => signIns.Add(1, new KeyValuePair<string, object?>("outcome", outcome.ToString()));

    public void LockOut() => lockOuts.Add(1);

    public void Token(string grant, bool given) => tokens.Add(1, new("grant", grant), new("outcome", given ? "given" : "refused"));

    public void Limited(string endpoint) => limited.Add(1, new KeyValuePair<string, object?>("endpoint", endpoint));
}
