using System.Text.Json;
using LlmMarketplace.ApiConventions;

namespace LlmMarketplace.Consumption.Invoking;

/// <summary>Which operation a call means, and whether the call has the members that it may have.</summary>
internal static class RequestedOperation
{
    private const int MostNames = 20;
    private static readonly string[] Texts = ["version", "operationId", "method", "path"];
    private static readonly string[] Objects = ["parameters", "headers"];

    /// <summary>Finds it, or says what is wrong.</summary>
    public static RestOperation? Find(RestApi api, JsonElement body, List<Issue> issues)
    {
        foreach (var member in body.EnumerateObject())
        {
            var (isKnown, isRight, right) =
                Texts.Contains(member.Name) ? (true, member.Value.ValueKind is JsonValueKind.String or JsonValueKind.Null, "a text")
                : Objects.Contains(member.Name) ? (true, member.Value.ValueKind is JsonValueKind.Object or JsonValueKind.Null, "an object")
                : (member.Name == "body", true, "");
            if (!isKnown || !isRight)
            {
                issues.Add(isKnown
                    ? new Issue("invalid", JsonPointers.Step(member.Name), $"`{member.Name}` must be {right}.")
                    : new Issue("unknown", JsonPointers.Step(member.Name), $"There is no `{member.Name}`; there are version, operationId, method, path, parameters, headers and body."));
            }
        }

        if (issues.Count > 0)
        {
            return null;
        }

        var (id, method, path) = (RestApi.Text(RestApi.Member(body, "operationId")), RestApi.Text(RestApi.Member(body, "method")), RestApi.Text(RestApi.Member(body, "path")));
        var found = api.Operations.Where(operation =>
            (id is null || operation.Id == id) && (method is null || operation.Method.Equals(method, StringComparison.OrdinalIgnoreCase)) && (path is null || operation.Path == path)).Take(2).ToList();
        if (found.Count == 1)
        {
            return found[0];
        }

        var at = id is not null ? "/operationId" : path is not null ? "/path" : method is not null ? "/method" : "/operationId";
        var names = string.Join(", ", api.Operations.Take(MostNames).Select(operation => operation.ToString())) + (api.Operations.Count > MostNames ? ", …" : "");
        issues.Add(found.Count == 0
            ? new Issue("unknown", at, $"The service has no such operation; it has {names}.")
            : new Issue("missing", at, $"Name one operation, by `operationId` or by `method` and `path`: {names}."));
        return null;
    }
}
