using System.Text;
using System.Text.Json;
using LlmMarketplace.ApiConventions;

namespace LlmMarketplace.Consumption.Invoking;

/// <summary>Checks what a caller gives an operation, and writes it as the operation's provider is to get it.</summary>
internal sealed class WriteRequest(RestOperation operation, JsonElement call, List<Issue> issues)
{
    /// <summary>Path with query, and headers.</summary>
    public (string Path, IReadOnlyList<KeyValuePair<string, string>> Headers) Write()
    {
        var (path, query, headers) = (new StringBuilder(operation.Path.TrimStart('/')), new List<string>(), new List<KeyValuePair<string, string>>());
        var (given, givenHeaders) = (RestApi.Member(call, "parameters"), RestApi.Member(call, "headers"));
        Unknown(given, "/parameters", parameter => parameter.In is "path" or "query", StringComparison.Ordinal);
        Unknown(givenHeaders, "/headers", parameter => parameter is { In: "header", IsOurs: false }, StringComparison.OrdinalIgnoreCase);
        foreach (var parameter in operation.Parameters.Where(parameter => !parameter.IsOurs))
        {
            var isHeader = parameter.In == "header";
            var (value, at) = Find(isHeader ? givenHeaders : given, isHeader ? "/headers" : "/parameters", parameter);
            if (value.ValueKind == JsonValueKind.Undefined)
            {
                if (parameter.IsRequired)
                {
                    issues.Add(new Issue("missing", at, $"`{parameter.Name}` is missing."));
                }

                continue;
            }

            var wrong = parameter.Schema?.Check(value, at) ?? [];
            issues.AddRange(wrong);
            if (wrong.Count > 0)
            {
                continue;
            }

            var text = parameter.In == "query" ? parameter.WriteQuery(value) : parameter.Write(value);
            if (text is null || (text.Length == 0 && parameter.In == "path"))
            {
                issues.Add(new Issue("invalid", at, text is null ? "A parameter is a text, a number, true or false, or a list or an object of these." : "What stands in the path cannot be empty."));
            }
            else if (parameter.In == "path")
            {
                path.Replace($"{{{parameter.Name}}}", text);
                if (path.ToString().Split('/').Any(segment => segment is "." or ".."))
                {
                    issues.Add(new Issue("invalid", at, "What stands in the path cannot lead elsewhere in it."));
                }
            }
            else if (parameter.In == "query")
            {
                query.Add(text);
            }
            else if (text.AsSpan().ContainsAnyExceptInRange(' ', '~'))
            {
                issues.Add(new Issue("invalid", at, "A header has printable characters of ASCII only."));
            }
            else
            {
                headers.Add(KeyValuePair.Create(parameter.Name, text));
            }
        }

        return (query.Count == 0 ? path.ToString() : $"{path}?{string.Join('&', query.Where(part => part.Length > 0))}", headers);
    }

    /// <summary>The operation's body in the call; null: there is none.</summary>
    public JsonElement? Body()
    {
        var body = RestApi.Member(call, "body");
        if (body.ValueKind == JsonValueKind.Undefined)
        {
            if (operation.NeedsBody)
            {
                issues.Add(new Issue("missing", "/body", "`body` is missing."));
            }

            return null;
        }

        if (!operation.TakesBody)
        {
            if (body.ValueKind != JsonValueKind.Null)
            {
                issues.Add(new Issue("unknown", "/body", "The operation takes no body."));
            }

            return null;
        }

        issues.AddRange(operation.Body?.Check(body, "/body") ?? []);
        return body;
    }

    private void Unknown(JsonElement given, string at, Func<RestParameter, bool> isHere, StringComparison names)
    {
        if (given.ValueKind == JsonValueKind.Object)
        {
            issues.AddRange(given.EnumerateObject()
                .Where(member => !operation.Parameters.Any(parameter => isHere(parameter) && parameter.Name.Equals(member.Name, names)))
                .Select(member => new Issue("unknown", at + JsonPointers.Step(member.Name), $"The operation has no such {(at == "/headers" ? "header" : "parameter")} that a caller may give.")));
        }
    }

    private static (JsonElement Value, string At) Find(JsonElement given, string at, RestParameter parameter)
    {
        if (parameter.In != "header")
        {
            return (RestApi.Member(given, parameter.Name), at + JsonPointers.Step(parameter.Name));
        }

        var found = given.ValueKind == JsonValueKind.Object ? given.EnumerateObject().FirstOrDefault(member => member.Name.Equals(parameter.Name, StringComparison.OrdinalIgnoreCase)) : default;
        return (found.Value, at + JsonPointers.Step(found.Value.ValueKind == JsonValueKind.Undefined ? parameter.Name : found.Name));
    }
}
