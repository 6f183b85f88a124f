using System.ComponentModel;
using System.Security.Claims;
using LlmMarketplace.ApiConventions;
using LlmMarketplace.Publishing.Contracts;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;

namespace LlmMarketplace.Publishing.Versions;

/// <summary><c>DELETE /api/v1/listings/{id}/versions/{version}/credentials/{name}</c>: no call uses it any more as soon as it is heard of. An address of a published version keeps its last one.</summary>
internal static class RemoveCredential
{
    public static void Map(RouteGroupBuilder listings) => listings.MapDelete("/{id:guid}/versions/{version}/credentials/{name}", HandleAsync).WithName("RemoveCredential")
        .WithSummary("Take a credential away from a version");

    private static async Task<Results<Ok<VersionView>, ProblemHttpResult>> HandleAsync(
        Guid id, string version, [Description("The credential's name")] string name, ClaimsPrincipal caller, CredentialDesk desk, CancellationToken cancellationToken)
    {
        var (listing, found, refusal) = await desk.OpenAsync(caller, id, version, cancellationToken);
        if (refusal is not null)
        {
            return refusal;
        }

        if (found!.CredentialNames.All(one => one.Name != name))
        {
            return Problems.NotFound("This credential");
        }

        if (name == PublishedCredential.Default)
        {
            found.Secret = null;
        }
        else
        {
            found.Credentials = [.. found.Credentials.Where(one => one.Name != name)];
        }

        return await desk.CommitAsync(listing!, found, cancellationToken);
    }
}
