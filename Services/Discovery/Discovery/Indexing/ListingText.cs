using System.Security.Cryptography;
using System.Text;
using LlmMarketplace.Embedding;

namespace LlmMarketplace.Discovery.Indexing;

/// <summary>What a version says of itself, for words and for meaning.</summary>
internal static class ListingText
{
    /// <summary>The text that is embedded. What says most comes first: the model reads 256 tokens.</summary>
    public static string ForMeaning(string name, VersionDocument version)
    {
        var s = version.Specification;
        var text = new StringBuilder();
        text.Append(Words(name)).Append(". ").Append(s.Description.TrimEnd('.', ' ')).Append(". ").Append(Words(s.Category));
        if (s.Tags.Count > 0)
        {
            text.Append(". ").AppendJoin(", ", s.Tags.Select(Words));
        }

        foreach (var capability in s.Capabilities)
        {
            text.Append(". ").Append(Words(capability.Name)).Append(": ").Append(capability.Description.TrimEnd('.', ' '));
        }

        return text.Append('.').ToString();
    }

    public static string Name(string provider, string name) => $"{provider} {name} {Words(name)}";

    public static string Tags(VersionDocument version) => string.Join(' ', version.Specification.Tags.Append(version.Specification.Category).SelectMany(tag => new[] { tag, Words(tag) }).Distinct());

    public static string Capabilities(VersionDocument version) =>
        string.Join(' ', version.Specification.Capabilities.SelectMany(capability => new[] { Words(capability.Name), capability.Description }).Append(version.Specification.Model.Id));

    public static byte[] Hash(string meaning) => SHA256.HashData(Encoding.UTF8.GetBytes($"{SentenceEmbedder.ModelName}\n{meaning}"));

    private static string Words(string name) => name.Replace('-', ' ').Replace('_', ' ');
}
