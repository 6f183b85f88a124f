using System.ComponentModel.DataAnnotations;
using LlmMarketplace.ApiConventions;
using Microsoft.AspNetCore.Http.HttpResults;

namespace LlmMarketplace.Publishing.Versions;

/// <summary>Why something is suspended.</summary>
/// <param name="Reason">1 to 1000 characters, for whoever is concerned.</param>
internal sealed record StatusReason([property: Required] string? Reason)
{
    public static ProblemHttpResult? Check(StatusReason? given) => given?.Reason is { Length: <= 1_000 } reason && !string.IsNullOrWhiteSpace(reason) && !reason.Contains('\0', StringComparison.Ordinal)
        ? null
        : Problems.Invalid(new Issue("reason_required", "/reason", "Give a reason of 1 to 1000 characters."));
}
