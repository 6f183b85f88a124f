using System.Security.Claims;
using LlmMarketplace.ApiConventions;
using LlmMarketplace.Publishing.Contracts;
using LlmMarketplace.Publishing.Listings;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace LlmMarketplace.Publishing.Versions;

/// <summary><c>POST /api/v1/listings/{id}/versions/{version}/suspend</c> and <c>/resume</c>: a resumed version is what it was, active or deprecated.</summary>
internal static class SuspendVersion
{
    public static void Map(RouteGroupBuilder listings)
    {
        listings.MapPost("/{id:guid}/versions/{version}/suspend", SuspendAsync).WithName("SuspendVersion").WithSummary("Suspend a version");
        listings.MapPost("/{id:guid}/versions/{version}/resume", ResumeAsync).WithName("ResumeVersion").WithSummary("Resume a suspended version");
    }

    private static async Task<Results<Ok<VersionView>, ProblemHttpResult>> SuspendAsync(
        Guid id, string version, StatusReason request, ClaimsPrincipal caller, VersionDesk desk, CancellationToken cancellationToken)
    {
        if (StatusReason.Check(request) is { } wrong)
        {
            return wrong;
        }

        return await desk.MoveAsync(caller, id, version, _ => VersionStatus.Suspended, ChangeCauses.Suspended, Change, ownerOnly: false, cancellationToken);

        void Change(Listing listing, ListingVersion found)
        {
            found.StatusReason = request.Reason;
            found.SuspendedByOperator = !caller.Owns(listing);
        }
    }

    private static async Task<Results<Ok<VersionView>, ProblemHttpResult>> ResumeAsync(
        Guid id, string version, ClaimsPrincipal caller, VersionDesk desk, CancellationToken cancellationToken)
    {
        return await desk.MoveAsync(caller, id, version, found => found.ResumesAs, ChangeCauses.Resumed, Change, ownerOnly: false, cancellationToken, Refuse);

        static void Change(Listing listing, ListingVersion found)
        {
            found.StatusReason = null;
            found.SuspendedByOperator = false;
        }

        ProblemHttpResult? Refuse(Listing listing, ListingVersion found) => found switch
        {
            { SuspendedByOperator: true } when !caller.IsOperator() => Refusals.SuspendedByOperator,
            { Status: not (VersionStatus.Suspended or VersionStatus.Active or VersionStatus.Deprecated) } => Problems.Conflict("not_suspended", "The version is not suspended."),
            _ => null,
        };
    }
}
