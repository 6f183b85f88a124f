using LlmMarketplace.Consumption.Calls;

namespace LlmMarketplace.Consumption.Platforms;

/// <summary>Whether a request carries what proves the marketplace to the provider.</summary>
/// <param name="Failure"><see cref="AttemptFailure.None"/>, or why it does not: <see cref="AttemptFailure.Credential"/> or <see cref="AttemptFailure.Token"/>.</param>
/// <param name="Problem">A sentence for the caller, without a word of the secret; null when there is no failure.</param>
internal readonly record struct Proof(AttemptFailure Failure, string? Problem = null)
{
    /// <summary>It does.</summary>
    public static Proof Given => new(AttemptFailure.None);
}
