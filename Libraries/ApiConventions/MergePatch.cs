using System.Text.Json;

namespace LlmMarketplace.ApiConventions;

/// <summary>Reads a merge patch (RFC 7396) member by member: what is not there stays.</summary>
public static class MergePatch
{
    private const string Invalid = "invalid_patch";

    /// <summary>Applies each member.</summary>
    /// <param name="patch">The body of the request.</param>
    /// <param name="applyAsync">Applies one member and tells what is wrong with it; a <see cref="JsonException"/> is an issue too.</param>
    /// <returns>All that is wrong; none when the patch is applied.</returns>
    public static async Task<List<Issue>> ApplyAsync(JsonElement patch, Func<JsonProperty, Task<IReadOnlyList<Issue>>> applyAsync)
    {
        ArgumentNullException.ThrowIfNull(applyAsync);
        if (patch.ValueKind != JsonValueKind.Object)
        {
            return [new Issue(Invalid, "", "The patch must be a JSON object.")];
        }

        List<Issue> issues = [];
        foreach (var member in patch.EnumerateObject())
        {
            try
            {
                issues.AddRange(await applyAsync(member).ConfigureAwait(false));
            }
            catch (JsonException wrong)
            {
                issues.Add(new Issue(Invalid, "/" + member.Name, wrong.Message));
            }
        }

        return issues;
    }

    /// <summary>A member's value; its own members have to be known.</summary>
    /// <exception cref="JsonException">It is of another type, or has a member that nobody knows.</exception>
    public static T? Read<T>(JsonProperty member) => member.Value.Deserialize<T>(Json.StrictOptions);
}
